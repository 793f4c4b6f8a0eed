"""Tables of scores: what is printed and what is written."""

from __future__ import annotations

import io

import pandas as pd
import pytest
from rich.console import Console

from scripts.errors import CxrError
from scripts.tables.scores import (
    Score,
    ScoreRow,
    geometry_rows,
    image_retrieval_rows,
    print_scores,
    probe_rows,
    retrieval_rows,
    scores_frame,
    shared_space_rows,
    write_scores,
)


def probe(auroc):
    row = {
        "name": "Edema",
        "auroc": auroc,
        "lo": auroc - 0.05,
        "hi": auroc + 0.05,
        "positives": 8,
        "n": 40,
        "reason": "",
    }
    absent = {
        "name": "Hernia",
        "auroc": None,
        "lo": None,
        "hi": None,
        "positives": 0,
        "n": 40,
        "reason": "no positives",
    }
    return {"rows": [row, absent], "macro": {**row, "name": "macro", "reason": "over 1 of 2 classes"}}


PROBES = {"random": probe(0.6), "ours": probe(0.8)}
WAY = {"r_at_1": {"value": 0.25, "chance": 0.02, "lo": 0.2, "hi": 0.3}, "median_rank": {"value": 12.0, "chance": 40.0}}
PAIRS = {"ours": {"n": 80, "texts": 60, "image_to_report": WAY, "report_to_image": WAY}}


def test_console_shows_every_method_beside_the_trivial_level():
    out = io.StringIO()
    print_scores(probe_rows(PROBES), "Linear probe", Console(file=out))
    edema = next(line for line in out.getvalue().splitlines() if "Edema" in line)
    assert [cell.strip() for cell in edema.split("│")[1:-1]] == [
        "AUROC Edema (8 of 40)",
        "0.500",
        "0.600 [0.550, 0.650]",
        "0.800 [0.750, 0.850]",
    ]
    assert "not scored: no positives" in out.getvalue()
    assert "over 1 of 2 classes" in out.getvalue()


def test_retrieval_rows_carry_chance_in_both_directions():
    rows = {row.name: row for row in retrieval_rows(PAIRS)}
    assert list(rows) == [
        "R@1 image→report",
        "median rank image→report",
        "R@1 report→image",
        "median rank report→image",
    ]
    assert rows["R@1 image→report"].trivial == 0.02
    assert str(rows["R@1 image→report"].scores["ours"]) == "0.250 [0.200, 0.300]"
    assert str(rows["median rank report→image"].scores["ours"]) == "12.0"


def test_retrieval_by_finding_is_told_apart_from_that_by_pair():
    way = WAY | {"finding_p_at_5": {"value": 0.5, "chance": 0.3}}
    rows = [row.name for row in retrieval_rows({"ours": {"image_to_report": way, "report_to_image": WAY}})]
    assert rows[2] == "P@5 same finding image→report"


def test_images_among_images_have_rows_or_a_reason():
    scored = {"random": {"p_at_5": {"value": 0.2, "chance": 0.2}}, "ours": {"p_at_5": {"value": 0.4, "chance": 0.2}}}
    (row,) = image_retrieval_rows(scored)
    assert (row.name, row.trivial) == ("P@5 same finding image→image", 0.2)
    assert [score.value for score in row.scores.values()] == [0.2, 0.4]
    (row,) = image_retrieval_rows({name: {"reason": "no finding"} for name in scored})
    assert {str(score) for score in row.scores.values()} == {"not scored: no finding"}


def test_no_shared_space_is_a_reason_and_no_number():
    rows = shared_space_rows("ours", "it has none")
    assert [row.name for row in rows] == [
        "zero-shot AUROC macro", "retrieval image→report", "retrieval report→image"
    ]  # fmt: skip
    assert all(str(row.scores["ours"]) == "not scored: it has none" for row in rows)


def test_geometry_rows_keep_what_each_method_has():
    rows = geometry_rows({"random": {"effective_rank": 215.0}, "ours": {"effective_rank": 248.4, "alignment": 0.5}})
    assert [(row.name, {m: str(s) for m, s in row.scores.items()}) for row in rows] == [
        ("effective rank", {"random": "215.0", "ours": "248.4"}),
        ("alignment", {"ours": "0.500"}),
    ]


def test_csv_is_long_and_unrounded(tmp_path):
    rows = [*probe_rows(PROBES), *retrieval_rows(PAIRS)]
    read = pd.read_csv(write_scores(rows, tmp_path / "scores.csv"))
    assert len(read) == len(scores_frame(rows)) == 2 * 3 + 4
    assert read.loc[0, ["method", "value", "lo", "trivial"]].tolist() == ["random", 0.6, pytest.approx(0.55), 0.5]
    assert read.loc[2, "note"] == "no positives"
    assert pd.isna(read.loc[2, "value"])


def test_markdown(tmp_path):
    text = write_scores(probe_rows({"a|b": probe(0.7)}), tmp_path / "scores.md").read_text(encoding="utf-8")
    assert text.splitlines()[:3] == [
        "| score | trivial | a\\|b |",
        "| --- | ---: | ---: |",
        "| AUROC Edema (8 of 40) | 0.500 | 0.700 [0.650, 0.750] |",
    ]


def test_other_formats_are_refused(tmp_path):
    with pytest.raises(CxrError, match=r"not as scores\.xlsx"):
        write_scores([], tmp_path / "scores.xlsx")


def test_a_score_without_interval():
    assert str(Score(0.5)) == "0.500"


def test_a_name_is_printed_as_it_stands():
    """rich takes brackets for markup: `[large]` would go, and `[/x]` ends in an error."""
    file = io.StringIO()
    print_scores([ScoreRow("Mass [large] [/x]", {"[red]ours": Score(0.5)})], "of [bold]", Console(width=140, file=file))
    printed = file.getvalue()
    assert "Mass [large] [/x]" in printed and "[red]ours" in printed and "of [bold]" in printed
