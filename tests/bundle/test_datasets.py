"""The table layout: columns to meanings, and messages for what means nothing."""

from __future__ import annotations

import json
import re
from argparse import ArgumentParser, Namespace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from bundle.datasets import LAYOUTS, Manifest
from scripts.data.masks import read_mask
from scripts.errors import CxrError

PROJECT = Path(__file__).resolve().parents[2]

ROWS = {
    "file": ["a.png", "b.png", "c.png"],
    "subject": ["007", "007", "8"],
    "Opacity": ["1", "-1", None],
    "Effusion": ["0.0", "true", "FALSE"],
    "text": ["Clear lungs.", None, "Effusion."],
    "set": ["training", "training", "test"],
    "lung": ["m/a.png", None, "1 5 20 3"],
    "found": ["[[1, 2, 3, 4]]", "[]", None],
    "names": ['["opacity"]', "[]", None],
}


def read(source: Path, *arguments: str, layout: str = "table") -> Manifest:
    parser = ArgumentParser()
    LAYOUTS[layout].add_arguments(parser)
    return LAYOUTS[layout].read(parser.parse_args(arguments, Namespace(source=str(source), seed=0)))


@pytest.fixture(params=["csv", "parquet"])
def source(tmp_path, request):
    path = tmp_path / f"data.{request.param}"
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "a.png").touch()
    table = pd.DataFrame(ROWS)
    if request.param == "csv":
        table.to_csv(path, index=False)
    else:
        table["found"] = [[[1.0, 2.0, 3.0, 4.0]], [], None]
        table["Opacity"] = [1.0, -1.0, np.nan]
        table.to_parquet(path)
    return path


BASE = ("--image", "file", "--patient", "subject")


def test_columns_get_their_meaning(source):
    manifest = read(
        source, *BASE, "--labels", "Opacity,Eff*", "--report", "text", "--split", "set",
        "--split-map", "training=train", "--mask", "lungs=lung", "--boxes", "found", "--box-labels", "names",
    )  # fmt: skip
    table, root = manifest.table, source.parent
    assert table["image"].tolist() == [str(root / f"{n}.png") for n in "abc"]
    assert table["image_id"].tolist() == ["a.png", "b.png", "c.png"]
    assert table["patient_id"].tolist() == ["007", "007", "8"]  # no number is made of an id
    assert table["split"].tolist() == ["train", "train", "test"]
    np.testing.assert_array_equal(table["label_Opacity"], [1, -1, np.nan])
    np.testing.assert_array_equal(table["label_Effusion"], [0, 1, 0])
    assert table["mask_lungs"].fillna("").tolist() == [str(root / "m/a.png"), "", "1 5 20 3"]
    assert table["boxes"].tolist() == [[[1, 2, 3, 4]], [], None]  # found, looked for in vain, unknown
    assert table["box_labels"].tolist() == [["opacity"], [], None]


def test_boxes_from_a_file_of_their_own(source):
    boxes = pd.DataFrame(
        {"image": ["c.png", "c.png", "x.png"], "label": ["p", "q", "p"], "x0": 1, "y0": 2, "x1": [5.5, 6, 7], "y1": 9}
    )
    boxes.to_csv(source.parent / "boxes.csv", index=False)
    manifest = read(source, *BASE, "--boxes", "boxes.csv")
    assert manifest.table["boxes"].tolist() == [None, None, [[1, 2, 5.5, 9], [1, 2, 6, 9]]]
    assert manifest.table["box_labels"].tolist() == [None, None, ["p", "q"]]
    assert manifest.notes == ["1 of 3 boxes belong to no image of the table"]


def test_images_that_are_numbers_find_their_boxes(tmp_path):
    pd.DataFrame({"file": ["007", "7"], "subject": ["1", "2"]}).to_csv(tmp_path / "t.csv", index=False)
    (tmp_path / "boxes.csv").write_text("image,label,x0,y0,x1,y1\n007,3,1,2,5,9\n")
    table = read(tmp_path / "t.csv", *BASE, "--boxes", "boxes.csv").table
    assert table["boxes"].tolist() == [[[1, 2, 5, 9]], None]
    assert table["box_labels"].tolist() == [["3"], None]


def test_certain_negatives_are_named_by_a_column(source):
    boxes = pd.DataFrame({"image": ["a.png"], "label": "p", "x0": 1, "y0": 2, "x1": 5, "y1": 9})
    boxes.to_csv(source.parent / "boxes.csv", index=False)
    with_boxes = (*BASE, "--boxes", "boxes.csv", "--no-boxes")
    table = read(source, *with_boxes, "text=Effusion.").table
    assert table["boxes"].tolist() == [[[1, 2, 5, 9]], None, []]  # found, unknown, none for certain
    assert table["box_labels"].tolist() == [["p"], None, []]
    manifest = read(source, *with_boxes, "subject=007", "--no-boxes", "set=test")
    assert manifest.table["boxes"].tolist() == [[[1, 2, 5, 9]], [], []]
    assert manifest.notes == ["1 images that --no-boxes speaks of have boxes, which are kept"]


def test_masks_in_one_cell_and_empty_ones(tmp_path):
    for name in ("a_0.png", "a_1.png"):
        (tmp_path / name).touch()
    cells = ["a_0.png|a_1.png", "-1", None, "a_0.png", "gone.png", "1 5|7 2"]
    pd.DataFrame({"file": list("abcdef"), "subject": list("abcdef"), "m": cells}).to_csv(tmp_path / "t.csv")
    manifest = read(tmp_path / "t.csv", *BASE, "--mask", "opacity=m")
    here = [str(tmp_path / name) for name in ("a_0.png", "a_1.png", "gone.png")]
    expected = [f"{here[0]}|{here[1]}", "-1", "", here[0], here[2], "1 5|7 2"]
    assert manifest.table["mask_opacity"].fillna("").tolist() == expected
    assert manifest.notes == ["1 of 4 masks looked for in mask_opacity are missing"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--image", "fil", "--patient", "subject"), "no column 'fil' for --image; did you mean 'file'"),
        ((*BASE, "--report", "zzz"), "no column 'zzz' for --report; it has file, subject"),
        ((*BASE, "--labels", "Opacity,Efusion"), "did you mean 'Effusion'"),
        ((*BASE, "--labels", "text"), r"column 'text': 2 cell\(s\), for example in row 0, are no label"),
        (
            (*BASE, "--split", "text"),
            r"3 row\(s\), .* map the words of column 'text' \(2 different values\) with --split-map",
        ),
        ((*BASE, "--split", "set", "--split-map", "training"), "NAME=VALUE"),
        ((*BASE, "--boxes", "nothing.csv"), "neither a column"),
        (
            (*BASE, "--boxes", "found", "--no-boxes", "text=Nothing"),
            r"no row has 'Nothing' there; it has 2 different values",
        ),
        ((*BASE, "--boxes", "found", "--no-boxes", "tex=Effusion."), "no column 'tex' for --no-boxes; did you mean"),
        ((*BASE, "--boxes", "found", "--no-boxes", "text"), "--no-boxes text: write it as NAME=VALUE"),
        ((*BASE, "--no-boxes", "text=Effusion."), "give the boxes, too"),
        ((*BASE, "--mask", "lungs=file"), r"mask_lungs: not one of 3 masks looked for exists; .* --root"),
        ((*BASE, "--boxes", "text"), "column 'text', row 0: expected a JSON list"),
        (("--image", "file", "--patient", "lung"), r"1 rows have no patient_id, for example rows \[1\]"),
    ],
)
def test_what_means_nothing_is_said_with_its_place(source, arguments, message):
    with pytest.raises(CxrError, match=message):
        read(source, *arguments)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("file,subject,text\n", "no rows"),
        ("", "cannot be read as a table"),
        ("file,subject,text\na,1,\nb,2, \n", "every cell"),
    ],
)
def test_an_empty_table_or_column_of_text_is_refused(tmp_path, content, message):
    (tmp_path / "t.csv").write_text(content)
    with pytest.raises(CxrError, match=message):
        read(tmp_path / "t.csv", *BASE, "--report", "text")


def test_an_empty_image_cell_is_named_by_its_row(tmp_path):
    """Parquet keeps an empty string, where CSV has a missing cell."""
    pd.DataFrame({"file": ["a.png", "", " "], "subject": ["1", "2", "3"]}).to_parquet(tmp_path / "t.parquet")
    with pytest.raises(CxrError, match=r"2 rows have no image, for example rows \[1, 2\]"):
        read(tmp_path / "t.parquet", *BASE)


def test_an_image_may_be_named_by_a_number(tmp_path):
    (tmp_path / "t.csv").write_text("file,subject\n0001,1\n0002,2\n")
    table = read(tmp_path / "t.csv", *BASE).table
    assert table["image"].tolist() == [str(tmp_path / "0001"), str(tmp_path / "0002")]


def test_a_missing_table_is_named(tmp_path):
    with pytest.raises(CxrError, match="no such file"):
        read(tmp_path / "t.csv", *BASE)
    with pytest.raises(CxrError, match="python -m bundle demo"):
        read(tmp_path, layout="demo")


@pytest.mark.parametrize("box", [[3, 2, 1, 4], [1, 2, 3], [1, 2, 3, 2]])
def test_a_box_without_area_is_refused(tmp_path, box):
    path = tmp_path / "t.csv"
    pd.DataFrame({"file": ["a"], "subject": ["1"], "b": [json.dumps([box])]}).to_csv(path, index=False)
    with pytest.raises(CxrError, match=r"row 0: a box (needs|is a list of four)"):
        read(path, *BASE, "--boxes", "b")


@pytest.mark.parametrize("corner", ["", "DOE", "nan"])
def test_a_box_file_without_numbers_names_its_rows(tmp_path, corner):
    (tmp_path / "t.csv").write_text("file,subject\na.png,1\n")
    (tmp_path / "b.csv").write_text(f"image,label,x0,y0,x1,y1\na.png,mass,1,2,3,4\na.png,mass,1,2,3,{corner}\n")
    with pytest.raises(CxrError, match=r"b\.csv: 1 rows have no four numbers x0, y0, x1, y1, for example rows \[1\]"):
        read(tmp_path / "t.csv", *BASE, "--boxes", "b.csv")


def doc_blocks() -> list[str]:
    """The Python of the page on `prepare`."""
    return re.findall(r"```python\n(.*?)```", (PROJECT / "docs" / "prepare.md").read_text(), re.DOTALL)


def test_the_page_makes_one_mask_of_drawn_structures(shared_data, tmp_path, monkeypatch):
    """44 images were looked at, in 43 ground glass was drawn and in 15 consolidation; counts by hand from the file."""
    notes = shared_data / "covid_cxr_notes"
    for name in ("data.csv", "structures.csv"):
        (tmp_path / name).symlink_to(notes / name)
    monkeypatch.chdir(tmp_path)
    exec(next(block for block in doc_blocks() if "structures.csv" in block), {})
    arguments = ("--root", str(notes), "--mask", "lungs=lung_mask", "--mask", "opacity=opacity")
    table = read(tmp_path / "with_opacity.csv", "--patient", "group", *arguments).table
    cells = table["mask_opacity"].dropna()
    assert len(cells) == 44
    files = [Path(part) for cell in cells for part in cell.split("|") if part != "-1"]
    assert (len(files), all(map(Path.is_file, files))) == (58, True)
    row = table[table["image_id"] == "images/ARDSSevere.jpg"].iloc[0]
    drawn = [
        np.asarray(Image.open(notes / "structure_masks" / f"ARDSSevere__{name}.png"))
        for name in ("consolidation_2", "ground_glass_opacities_4")
    ]
    np.testing.assert_array_equal(read_mask(row["mask_opacity"], (409, 512)), (drawn[0] > 127) | (drawn[1] > 127))


def test_real_sets(shared_data):
    """Counts from the data folder's own README."""
    notes = shared_data / "covid_cxr_notes"
    table = read(
        notes / "data.csv", "--patient", "group", "--report", "notes", "--view", "view", "--split", "split",
        "--mask", "lungs=lung_mask", "--boxes", "boxes_findings.csv",
    ).table  # fmt: skip
    assert (len(table), table["mask_lungs"].notna().sum(), table["boxes"].dropna().map(len).sum()) == (281, 116, 110)
    assert (table["view"] == "L").sum() == 31  # as the file says; prepare makes words of it
    assert all(Path(path).is_file() for column in ("image", "mask_lungs") for path in table[column].dropna())
    nih = shared_data / "nih_chestxray14"
    labels = "Pneumonia,Edema,Effusion,Atelectasis"
    arguments = ("--patient", "group", "--labels", labels, "--boxes", "boxes.csv", "--no-boxes", "findings=No Finding")
    table = read(nih / "data.csv", *arguments).table
    assert [int(table[f"label_{name}"].sum()) for name in labels.split(",")] == [413, 83, 83, 88]
    assert (table["patient_id"].nunique(), table["boxes"].dropna().map(len).sum()) == (537, 44)
    negatives = table["boxes"].map(lambda boxes: boxes == [])
    assert negatives.sum() == (pd.read_csv(nih / "data.csv")["findings"] == "No Finding").sum() == 384
