"""Report cleaning, on hand-written and on real reports."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.errors import CxrError
from scripts.text import clean_text, report_sections, report_text, text_key

MIMIC = """                                 FINAL REPORT
 EXAMINATION:  CHEST (PA AND LAT)

 INDICATION:  ___F with new onset ascites  // eval for infection

 COMPARISON:  None.

 FINDINGS:

 There is no focal consolidation, pleural effusion or pneumothorax.
 Bilateral nodular opacities that most likely represent nipple shadows.

 IMPRESSION:

 No acute cardiopulmonary process.

 NOTIFICATION:  Discussed with Dr. ___ by telephone.
"""


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("No effusion", "No effusion."),
        ("Normal chest x-XXXX.", "Normal chest x."),
        ("XXXX-year-old male, chest pain.", "year-old male, chest pain."),
        ("Compared with ___, and ___.", "Compared with, and."),
        ("Seen by [**Doctor Last Name 12**] on [**2101-1-1**] (___).", "Seen by on."),
        ("Port-XXXX's tip\n\n  in the   SVC ..", "Port tip in the SVC."),
        (".5 cm nodule", ".5 cm nodule."),
        ("___. Stable.", "Stable."),
        ("Pneumonia?", "Pneumonia?"),
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


@given(st.text(alphabet=st.sampled_from("aB X_.,;:!?()[]*-/5\n'\u00a0é"), max_size=40))
def test_cleaning_twice_changes_nothing(raw: str) -> None:
    once = clean_text(raw)
    assert clean_text(once) == once
    assert "\n" not in once and "  " not in once and "___" not in once


@pytest.mark.parametrize(
    ("report", "findings", "impression"),
    [
        ("FINDINGS: Lungs clear IMPRESSION: Normal", "Lungs clear.", "Normal."),
        ("Findings: Lungs clear. Impression: Normal. Recommendation(s): CT.", "Lungs clear.", "Normal."),
        ("Presentation: fever. . Imaging Notes: Lungs clear.. Discussion: rare.", "Lungs clear.", None),
        ("CONCLUSION : Normal.\nELECTRONICALLY SIGNED BY: somebody", None, "Normal."),
        ("FINDINGS AND IMPRESSION: Normal.", None, "Normal."),
        ("FINDINGS: A.\nIMPRESSION: B.\nADDENDUM: x\nIMPRESSION: C.", "A.", "B. C."),
        ("The main finding: none. Our first impression: normal", None, None),
        ("FINDINGS:\nIMPRESSION: ___", None, None),
        (None, None, None),
    ],
)
def test_report_sections(report: str | None, findings: str | None, impression: str | None) -> None:
    expected = {"findings": findings, "impression": impression}
    assert report_sections(report) == {name: text for name, text in expected.items() if text}


def test_mimic_report() -> None:
    assert report_text(report=MIMIC) == (
        "No acute cardiopulmonary process. There is no focal consolidation, pleural effusion or pneumothorax. "
        "Bilateral nodular opacities that most likely represent nipple shadows."
    )


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"findings": "Clear", "impression": "Normal"}, "Normal. Clear."),
        ({"findings": "Clear", "impression": np.nan}, "Clear."),
        ({"findings": "Clear", "impression": "Normal", "sections": ("findings",)}, "Clear."),
        ({"impression": "Normal", "sections": ("findings",)}, ""),
        ({"findings": "Clear", "report": "FINDINGS: other. IMPRESSION: Normal."}, "Normal. Clear."),
        ({"report": "Portable film.\nNo pneumothorax"}, "Portable film. No pneumothorax."),
        ({"findings": np.nan, "impression": None, "report": pd.NA}, ""),
        ({}, ""),
    ],
)
def test_report_text(given: dict, text: str) -> None:
    assert report_text(**given) == text


def test_real_reports_as_columns_and_as_one_text(iu_reports: list[dict[str, str | None]]) -> None:
    columns = [report_text(findings=r.get("FINDINGS"), impression=r.get("IMPRESSION")) for r in iu_reports]
    whole = [report_text(report="\n".join(f"{name}: {text or ''}" for name, text in r.items())) for r in iu_reports]
    empty = sum(not (r.get("FINDINGS") or r.get("IMPRESSION")) for r in iu_reports)
    assert columns.count("") == pytest.approx(empty, abs=5)  # a few hold nothing but a mark
    assert not any("XX" in text or "__" in text or "  " in text for text in columns)
    # One report holds a whole second report, with its own headings, inside its impression.
    assert sum(a != b for a, b in zip(columns, whole, strict=True) if a) <= 1


def test_real_notes_lose_history_and_discussion(shared_data) -> None:
    notes = pd.read_csv(shared_data / "covid_cxr_notes" / "data.csv").notes
    texts = notes.map(lambda note: report_text(report=note))
    assert (texts == "").sum() == notes.isna().sum()
    marked = notes.fillna("").str.contains(r"(?:^|\. )Imaging Notes: \w", regex=True)
    assert marked.sum() > 40
    assert not texts[marked].str.contains("Presentation:|Discussion:|Imaging Notes:", regex=True).any()


def test_text_key() -> None:
    # Python: hashlib.blake2b(b"abc", digest_size=16).hexdigest(); b2sum -l 128 gives the same
    assert text_key("abc") == "cf4ab791c62b8d2b2109c90275287816"
    assert text_key("Normal.") != text_key("normal.")
    with pytest.raises(CxrError, match="not text"):
        text_key(float("nan"))  # type: ignore[arg-type]
