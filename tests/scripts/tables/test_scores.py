"""Tables of scores: what is printed and what is written."""

from __future__ import annotations

import io

import pandas as pd
import pytest
from rich.console import Console

from scripts.errors import CxrError
from scripts.statistics.estimate import Estimate
from scripts.tables.scores import ScoreRow, print_scores, run_row, score_text, scores_frame, write_scores


def probe(auroc):
    """Rows of one method's value."""
    edema = Estimate(auroc, auroc - 0.05, auroc + 0.05)
    return {"Edema (8 of 40)": edema, "Hernia (0 of 40)": Estimate(None, reason="no positives")}


def rows_of(methods):
    return [
        ScoreRow(f"AUROC {name}", {method: found[name] for method, found in methods.items()}, 0.5)
        for name in next(iter(methods.values()))
    ]


PROBES = {"random": probe(0.6), "ours": probe(0.8)}


def test_console_shows_every_method_beside_the_trivial_level():
    out = io.StringIO()
    print_scores(rows_of(PROBES), "Linear probe", Console(file=out))
    edema = next(line for line in out.getvalue().splitlines() if "Edema" in line)
    assert [cell.strip() for cell in edema.split("│")[1:-1]] == [
        "AUROC Edema (8 of 40)",
        "0.500",
        "0.600 [0.550, 0.650]",
        "0.800 [0.750, 0.850]",
    ]
    assert "not scored: no positives" in out.getvalue()


def test_csv_is_long_and_unrounded(tmp_path):
    rows = rows_of(PROBES)
    read = pd.read_csv(write_scores(rows, tmp_path / "scores.csv"))
    assert len(read) == len(scores_frame(rows)) == 2 * 2
    assert read.loc[0, ["method", "value", "lo", "trivial"]].tolist() == ["random", 0.6, pytest.approx(0.55), 0.5]
    assert read.loc[2, "note"] == "no positives"
    assert pd.isna(read.loc[2, "value"])


def test_markdown(tmp_path):
    text = write_scores(rows_of({"a|b": probe(0.7)}), tmp_path / "scores.md").read_text(encoding="utf-8")
    assert text.splitlines()[:3] == [
        "| score | trivial | a\\|b |",
        "| --- | ---: | ---: |",
        "| AUROC Edema (8 of 40) | 0.500 | 0.700 [0.650, 0.750] |",
    ]


def test_other_formats_are_refused(tmp_path):
    with pytest.raises(CxrError, match=r"not as scores\.xlsx"):
        write_scores([], tmp_path / "scores.xlsx")


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (Estimate(0.5), "0.500"),
        (Estimate(12.04, 11.0, 13.0), "12.0 [11.0, 13.0]"),
        (Estimate(0.5, 0.4, 0.6, reason="over 1 of 2 classes"), "0.500 [0.400, 0.600] over 1 of 2 classes"),
        (Estimate(None, reason="no positives"), "not scored: no positives"),
    ],
)
def test_a_score_as_text(found, text):
    assert score_text(found) == text


def test_a_row_writes_numbers_its_own_way():
    row = ScoreRow("steps", {"ours": Estimate(1200.0)}, 12.0, lambda value: f"{value:,.0f}")
    assert (row.cell("ours"), row.cell("theirs"), row.level) == ("1,200", "–", "12")


def test_a_run_stands_beside_its_trivial_level():
    row = run_row("Dice", Estimate(0.5, trivial=0.2))
    assert (row.trivial, list(row.scores)) == (0.2, ["this run"])


def test_a_name_is_printed_as_it_stands():
    """rich takes brackets for markup: `[large]` would go, and `[/x]` ends in an error."""
    file = io.StringIO()
    print_scores(
        [ScoreRow("Mass [large] [/x]", {"[red]ours": Estimate(0.5)})], "of [bold]", Console(width=140, file=file)
    )
    printed = file.getvalue()
    assert "Mass [large] [/x]" in printed and "[red]ours" in printed and "of [bold]" in printed
