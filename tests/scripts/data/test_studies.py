"""The study table: what it refuses, and that it moves with its source."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from scripts.data import studies
from scripts.data.studies import read_reports, read_studies, report_texts, validate_studies, write_studies
from scripts.errors import CxrError


def table(source: Path) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "image_id": ["i0", "i1", "i2"],
            "image": [str(source / "a.dcm"), str(source / "sub" / "b.dcm"), "/elsewhere/c.dcm"],
            "patient_id": ["p0", "p0", "p1"],
            "study_id": ["s0", "s1", "s2"],
            "split": ["train", "train", "test"],
            "mask_lungs": [str(source / "m.png"), "", "3 4 10 2"],
            "boxes": [[[0.0, 1.0, 5.0, 6.0]], [], None],
            "box_labels": [["opacity"], [], None],
        }
    )


def prepared(out: Path, source: Path) -> Path:
    out.mkdir()
    record = {"source": str(source), "source_relative": os.path.relpath(source, out)}
    (out / "prepare.json").write_text(json.dumps(record))
    write_studies(table(source), out, source)
    return out


def test_paths_are_relative_in_the_file_and_absolute_in_memory(tmp_path):
    source = tmp_path / "archive"
    (source / "sub").mkdir(parents=True)
    out = prepared(tmp_path / "out", source)
    stored = pd.read_parquet(out / "studies.parquet")
    assert stored["image"].tolist() == ["a.dcm", "sub/b.dcm", "/elsewhere/c.dcm"]
    assert stored["mask_lungs"].tolist() == ["m.png", "", "3 4 10 2"]  # a run-length string is no path
    read = read_studies(out)
    assert read["image"].tolist() == table(source)["image"].tolist()
    assert read["mask_lungs"].tolist() == table(source)["mask_lungs"].tolist()
    assert read["boxes"].tolist() == [[[0, 1, 5, 6]], [], None]
    assert read["box_labels"].tolist() == [["opacity"], [], None]


def test_each_of_several_masks_in_a_cell_is_a_path_or_a_string(tmp_path):
    source = tmp_path / "archive"
    out = prepared(tmp_path / "out", source)
    cells = [f"{source}/m/a.png|{source}/m/b.png", "-1", f"1 5|{source}/m/c.png|/elsewhere/d.png"]
    write_studies(table(source).assign(mask_opacity=cells), out, source)
    stored = pd.read_parquet(out / "studies.parquet")
    assert stored["mask_opacity"].tolist() == ["m/a.png|m/b.png", "-1", "1 5|m/c.png|/elsewhere/d.png"]
    source.mkdir()
    assert read_studies(out)["mask_opacity"].tolist() == cells


def test_an_image_named_by_a_number_is_a_file_and_an_emptied_one_is_none(tmp_path):
    out = prepared(tmp_path / "out", tmp_path)
    names = [str(tmp_path / "0001"), str(tmp_path / "2"), ""]
    write_studies(table(tmp_path).assign(image=names), out, tmp_path)
    assert pd.read_parquet(out / "studies.parquet")["image"].tolist() == ["0001", "2", ""]
    assert read_studies(out)["image"].tolist() == names


def test_a_prepared_folder_moves_with_its_source(tmp_path):
    old = tmp_path / "old"
    (old / "archive" / "sub").mkdir(parents=True)
    prepared(old / "out", old / "archive")
    shutil.move(old, tmp_path / "new")
    read = read_studies(tmp_path / "new" / "out")
    assert read["image"][0] == str(tmp_path / "new" / "archive" / "a.dcm")


def test_a_missing_table_names_the_cure(tmp_path):
    with pytest.raises(CxrError, match=r"studies\.parquet.*python -m bundle prepare"):
        read_studies(tmp_path)


def test_a_damaged_table_is_said_so(tmp_path):
    (tmp_path / "studies.parquet").write_bytes(b"PAR1 torn")
    with pytest.raises(CxrError, match="damaged"):
        read_studies(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop(columns=["split", "study_id"]), "lacks the column.s. study_id, split"),
        (lambda t: t.iloc[:0], "no rows"),
        (lambda t: t.assign(image_id=["i0", "i1", "i0"]), r"repeat an image, for example rows \[0, 2\]"),
        (lambda t: t.assign(split=["train", "val", "test"]), r"more than one split, for example that of rows \[0, 1\]"),
    ],
)
def test_a_table_that_breaks_a_rule_is_refused_on_both_ways(tmp_path, change, message):
    wrong = change(table(tmp_path))
    with pytest.raises(CxrError, match=message):
        validate_studies(wrong, "here")
    with pytest.raises(CxrError, match=message):
        write_studies(wrong, tmp_path, tmp_path)
    assert not (tmp_path / "studies.parquet").exists()


def test_each_distinct_report_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[dict] = []
    read = studies.read_report

    def counted(**given: Any) -> Any:
        calls.append(given)
        return read(**given)

    monkeypatch.setattr(studies, "read_report", counted)
    findings = ["Clear.", float("nan"), "Clear.", None, "The XXXX are clear.", pd.NA]
    given = pd.DataFrame({"findings": findings, "impression": ["Normal."] * 6}, index=[5, 3, 9, 1, 7, 2])
    read_once = read_reports(given)
    assert len(calls) == 3
    assert read_once["clean_text"].tolist() == ["Normal. Clear.", "Normal.", "Normal. Clear.", *["Normal."] * 3]
    assert read_once["text_source"].tolist() == ["both", "impression", "both", *["impression"] * 3]
    assert read_once["text_dropped"].tolist() == [0, 0, 0, 0, 1, 0]
    assert read_once.index.tolist() == given.index.tolist()
    assert report_texts(given).equals(read_once["clean_text"])
    assert report_texts(given[[]]).tolist() == [""] * 6
