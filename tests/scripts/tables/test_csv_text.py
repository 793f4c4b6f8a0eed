"""Tables that a spreadsheet program shows and does not run."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from scripts.statistics.estimate import Estimate
from scripts.tables.csv_text import csv_text
from scripts.tables.scores import ScoreRow, write_scores
from scripts.tasks.classification.predictions import ScoreWriter


def cells(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


def test_a_carriage_return_does_not_end_the_row() -> None:
    assert cells(csv_text(pd.DataFrame({"a": ["\r=1", "x\r\ny"]}))) == [["a"], ["'\n=1"], ["x\ny"]]


# What OWASP's page on CSV injection lists, and full width.
@pytest.mark.parametrize("text", ["=1+1", "+A1", "-A1", "@SUM(A1)", "\t=1", "\n=1", "＝1", "-", "--1", "-1-1", "=-0.5"])
def test_a_text_that_would_run_begins_with_an_apostrophe(text: str) -> None:
    assert cells(csv_text(pd.DataFrame({text: [text, "plain"]}))) == [[f"'{text}"], [f"'{text}"], ["plain"]]


@pytest.mark.parametrize("value", [-0.5, -3, "-0.5", "+3", "-1e-05", "-.5", float("-inf")])
def test_numbers_stay_numbers(value: object) -> None:
    for dtype in (None, object):
        (_, (cell,)) = cells(csv_text(pd.DataFrame({"a": pd.Series([value], dtype=dtype)})))
        assert float(cell) == float(str(value))


def test_missing_cells_are_empty_and_whole_numbers_have_no_point() -> None:
    frame = pd.DataFrame([["x", 1, None, np.nan], ["a,b", None, "", 0.25]], columns=list("abcd"), dtype=object)
    assert cells(csv_text(frame)) == [list("abcd"), ["x", "1", "", ""], ["a,b", "", "", "0.25"]]


def test_what_the_project_writes(tmp_path: Path) -> None:
    write_scores([ScoreRow("=Mass", {"-method": Estimate(-0.5, reason="@note")})], tmp_path / "evaluation.csv")
    (_, row) = cells((tmp_path / "evaluation.csv").read_text())
    assert row == ["'=Mass", "'-method", "-0.5", "", "", "", "'@note"]
    rows = [{"image_id": "-1", "image": "=a.png", "probabilities": {"+Mass": 0.25}, "error": None}]
    ScoreWriter(str(tmp_path), ["+Mass"]).write(rows)
    assert cells((tmp_path / "predictions.csv").read_text()) == [
        ["image_id", "image", "'+Mass", "error"],
        ["-1", "'=a.png", "0.25", ""],
    ]
