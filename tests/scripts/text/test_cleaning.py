"""One line of clean text, and its key."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.errors import CxrError
from scripts.text.cleaning import clean_text
from scripts.text.key import text_key


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("No effusion", "No effusion."),
        ("Tip\n\n  in the   SVC ..", "Tip in the SVC."),
        (".5 cm nodule", ".5 cm nodule."),
        ("Pneumonia?", "Pneumonia?"),
        ("Clear ( ) lungs ,. Normal", "Clear lungs. Normal."),
        ("___ XXXX 12.", ""),
        ("nan", ""),
        ("None.", ""),
        ("  ", ""),
        (None, ""),
        (float("nan"), ""),
        (np.nan, ""),
        (pd.NA, ""),
        (3, ""),
    ],
)
def test_clean_text(raw: object, clean: str) -> None:
    assert clean_text(raw) == clean


@given(st.text(alphabet=st.sampled_from("aB X_.,;:!?()[]*-/5\n'\u00a0é\x00"), max_size=40))
def test_cleaning_twice_changes_nothing(raw: str) -> None:
    once = clean_text(raw)
    assert clean_text(once) == once
    assert "\n" not in once and "  " not in once and "___" not in once and "\x00" not in once


def test_text_key() -> None:
    # Python: hashlib.blake2b(b"abc", digest_size=16).hexdigest(); b2sum -l 128 gives the same
    assert text_key("abc") == "cf4ab791c62b8d2b2109c90275287816"
    assert text_key("Normal.") != text_key("normal.")
    with pytest.raises(CxrError, match="not text"):
        text_key(float("nan"))  # type: ignore[arg-type]
