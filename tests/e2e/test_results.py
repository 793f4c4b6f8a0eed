"""results/ and the pages: every table is its file, and how a file becomes a table."""

from __future__ import annotations

import runpy
import shutil
import sys
from pathlib import Path

import pandas as pd
import pytest

PROJECT = Path(__file__).resolve().parents[2]
TABLES = runpy.run_path(str(PROJECT / "docs" / "tables.py"))
FILES = sorted((PROJECT / "results").glob("*.csv"))


def check(monkeypatch: pytest.MonkeyPatch, project: Path, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["tables.py", *arguments])
    return TABLES["main"](project)


def test_the_pages_say_what_the_files_say(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(monkeypatch, PROJECT, "--check") == 0, capsys.readouterr().err


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_file_is_one_table_and_is_listed(file: Path) -> None:
    pages = [PROJECT / "README.md", *(PROJECT / "docs").glob("*.md")]
    assert sum(page.read_text(encoding="utf-8").count(f"<!-- results/{file.name} -->") for page in pages) == 1
    assert f"`{file.name}`" in (PROJECT / "results" / "README.md").read_text(encoding="utf-8")


def test_a_changed_number_is_found_and_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(PROJECT / "results", tmp_path / "results")
    (tmp_path / "docs").mkdir()
    shutil.copy(PROJECT / "docs" / "detection.md", tmp_path / "docs")
    shutil.copy(PROJECT / "README.md", tmp_path)
    file = tmp_path / "results" / "detection_demo.csv"
    file.write_text(file.read_text().replace(".243,.141,.371", ".999,.141,.371"))
    assert check(monkeypatch, tmp_path, "--check") == 1
    assert "docs/detection.md differs" in capsys.readouterr().err
    assert ".999" not in (tmp_path / "docs" / "detection.md").read_text()
    assert check(monkeypatch, tmp_path) == 0
    assert "| mAP .40:.75 | .999 [.141, .371] | .006 |" in (tmp_path / "docs" / "detection.md").read_text()
    assert check(monkeypatch, tmp_path, "--check") == 0


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("-.029", "−.029"), ("+.011", "+.011"), ("0.500", "0.500"), ("17220160", "17,220,160"), ("1500", "1,500"),
        ("228.6", "228.6"), ("1234.5", "1,234.5"), ("at chance", "at chance"), ("two-sided", "two-sided"),
        ("", ""),
    ],
)  # fmt: skip
def test_a_number_as_it_is_read_on_a_page(text: str, shown: str) -> None:
    assert TABLES["number"](text) == shown


def test_a_table_has_its_companions_in_one_cell(tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    file.write_text('score,a,a low,a high,a p,a note,b\n"|r|, all",.5,.4,-.6,.03,low,\nrest,none,,,,,x\n')
    assert TABLES["table"](file).splitlines() == [
        "| score | a | b |",
        "| --- | ---: | --- |",
        r"| \|r\|, all | .5 [.4, −.6], p = .03, low | – |",
        "| rest | none | x |",
    ]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_an_interval_has_two_ends_in_order(file: Path) -> None:
    table = pd.read_csv(file)
    for name in table.columns[table.columns.str.endswith(" low")]:
        low, high = table[name], table[name.removesuffix("low") + "high"]
        assert (low.isna() == high.isna()).all()
        assert (low.dropna() <= high.dropna()).all()
