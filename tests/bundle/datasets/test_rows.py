"""Rows, joins, patients and paths of one's own table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from scripts.data.masks import read_mask
from scripts.errors import CxrError

from .miniature import lay, manifest, pack, picture

ROWS = (
    "id,subject,kind,found,m\n"
    "a,10000032,X-ray,Mass|Effusion ,2 3 4 1\nb,10000032,CT,,-1\nc,11000033,X-ray,,-1\nd,12000044,X-ray,Mass,\n"
)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    more = "id,view,report\na,PA,Clear.\nd,AP,Effusion.\n"
    return lay(tmp_path, {"t.csv": ROWS, "more.csv": more}) / "t.csv"


TEMPLATE = ("--image", "files/p{subject:.2}/p{subject}/{id}.png")


def test_paths_from_a_template_and_rows_by_a_value(source):
    table = manifest("table", source, *TEMPLATE, "--patient", "subject", "--where", "kind=X-ray").table
    names = ["files/p10/p10000032/a.png", "files/p11/p11000033/c.png", "files/p12/p12000044/d.png"]
    assert table["image"].tolist() == [str(source.parent / name) for name in names]
    assert table["patient_id"].tolist() == ["10000032", "11000033", "12000044"]


def test_columns_of_another_table(source):
    arguments = ("--image", "id", "--no-patient", "--join", "more.csv:id", "--view", "view", "--report", "report")
    table = manifest("table", source, *arguments).table
    assert table["view"].fillna("").tolist() == ["PA", "", "", "AP"]
    assert table["report"].fillna("").tolist() == ["Clear.", "", "", "Effusion."]
    assert table["patient_id"].tolist() == ["a", "b", "c", "d"]


def test_the_patient_stands_in_the_path(source):
    table = manifest("table", source, *TEMPLATE, "--patient-from", r"/p(\d{8})/").table
    assert table["patient_id"].tolist() == ["10000032", "10000032", "11000033", "12000044"]


def test_images_by_their_names_anywhere(source):
    lay(source.parent, {"deep/er/a.png": picture(1)})
    pack(lay(source.parent / "content", {"x/b.png": picture(2)}), source.parent / "more.zip")
    (source.parent / "content/x/b.png").unlink()
    table = manifest("table", source, "--image", "{id}.png", "--no-patient", "--find").table
    assert table["image"].tolist() == [
        str(source.parent / name) for name in ("deep/er/a.png", "more.zip/x/b.png", "c.png", "d.png")
    ]


def test_findings_as_a_list_and_relative_runs(source):
    arguments = ("--image", "id", "--no-patient", "--label-list", "found", "--mask", "m=m", "--rle", "relative")
    table = manifest("table", source, *arguments).table
    np.testing.assert_array_equal(table["label_Mass"], [1, 0, 0, 1])
    np.testing.assert_array_equal(table["label_Effusion"], [1, 0, 0, 0])
    expected = np.zeros((6, 5), bool)  # three pixels from the third on, and one after four more, down the columns
    expected.T.flat[[2, 3, 4, 9]] = True
    np.testing.assert_array_equal(read_mask(table["mask_m"].iloc[0], (6, 5)), expected)
    assert table["mask_m"].iloc[1] == "-1"


def test_a_split_without_validation_gets_one(tmp_path):
    rows = [f"{i}.png,p{i},{'train' if i < 20 else 'test'}" for i in range(25)]
    lay(tmp_path, {"t.csv": "\n".join(["image,who,part", *rows])})
    found = manifest("table", tmp_path / "t.csv", "--patient", "who", "--split", "part", "--val-share", "0.2")
    assert found.table["split"].value_counts().to_dict() == {"train": 16, "val": 4, "test": 5}
    assert found.notes == ["the set has no val part: drawn from its training patients, 20% each (val 4 images)"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--where", "kind=MR"), r"--where kind=MR: no row has 'MR' there; it has"),
        (("--where", "knd=CT"), "no column 'knd' for --where; did you mean 'kind'"),
        (("--join", "more.csv"), "--join more.csv: write it as FILE:KEY"),
        (("--join", "gone.csv:id"), r"gone\.csv: no such file"),
        (("--join", "twice.csv:id"), r"1 rows repeat a id, for example row 1; keep one"),
        (("--join", "others.csv:id"), "not one id of .* is in .*others.csv"),
        (("--image", "{idd}.png"), "no column 'idd' for --image; did you mean 'id'"),
        (("--image", "{id"), r"--image \{id: .*write columns in braces"),
        (("--patient-from", "("), "no regular expression"),
        (("--patient-from", "p"), "put the patient in one group"),
        (("--patient-from", "(a)"), "finds nobody in 3 paths, for example that of row 1"),
    ],
)
def test_what_cannot_be_meant_is_said(source, arguments, message):
    lay(source.parent, {"twice.csv": "id,x\na,1\na,2\n", "others.csv": "id,x\nz,1\n"})
    given = () if "--patient-from" in arguments else ("--no-patient",)
    image = () if "--image" in arguments else ("--image", "id")
    with pytest.raises(CxrError, match=message):
        manifest("table", source, *image, *given, *arguments)
