"""NIH ChestX-ray14 from its folder and from its archives."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bundle.datasets.nih import FACTS
from scripts.data.studies import read_studies
from scripts.errors import CxrError

from .miniature import lay, manifest, pack, picture, prepare

# Header lines of the releases: the quoted brackets part at their own commas, and `Gender` became `Sex`.
HEADER = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient {},View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y],"
)
ROWS = (
    "00000001_000.png,Cardiomegaly|Emphysema,0,1,057Y,M,PA,2682,2749,0.143,0.143,",
    "00000001_001.png,No Finding,1,1,58,M,AP,2682,2749,0.143,0.143,",
    "00000002_000.png,Infiltration,0,2,414,F,PA,2500,2048,0.171,0.171,",
    "00000003_000.png,No Finding,0,3,81,F,PA,2500,2048,0.171,0.171,",
    "00000004_000.png,Mass,0,4,33,F,PA,2500,2048,0.171,0.171,",
)
BOXES = "Image Index,Finding Label,Bbox [x,y,w,h],,,\n00000002_000.png,Infiltrate,2.5,10,20,5.5,,,\n"
NAMES = [row.split(",")[0] for row in ROWS]


@pytest.fixture
def source(tmp_path):
    files: dict[str, str | bytes] = {
        f"images_00{1 + place % 2}/images/{name}": picture(place) for place, name in enumerate(NAMES)
    }
    files |= {
        "Data_Entry_2017_v2020.csv": "\n".join([HEADER.format("Gender"), *ROWS]),
        "BBox_List_2017.csv": BOXES,
        "train_val_list.txt": "\n".join(NAMES[:4]),
        "test_list.txt": NAMES[4],
    }
    return lay(tmp_path / "nih", files)


def test_the_study_table_cell_by_cell(source):
    found = manifest("nih", source, "--val-share", "0.34")
    table = found.table
    folder = [source / f"images_00{1 + place % 2}" / "images" / name for place, name in enumerate(NAMES)]
    assert table["image"].tolist() == [str(path) for path in folder]
    assert table["image_id"].tolist() == table["study_id"].tolist() == NAMES
    assert table["patient_id"].tolist() == ["1", "1", "2", "3", "4"]
    assert table["view"].tolist() == ["PA", "AP", "PA", "PA", "PA"]
    assert table["sex"].tolist() == ["M", "M", "F", "F", "F"]
    np.testing.assert_array_equal(table["age"], [57, 58, np.nan, 81, 33])
    positive = {name: np.flatnonzero(table[f"label_{name}"] == 1).tolist() for name in FACTS.names}
    named = {name: rows for name, rows in positive.items() if rows}
    assert named == {"Cardiomegaly": [0], "Emphysema": [0], "Infiltration": [2], "Mass": [4]}
    assert table[[f"label_{name}" for name in FACTS.names]].isin((0, 1)).all(axis=None)
    # xywh in the pixels of the file, `Infiltrate` as the labels spell it; No Finding is looked at, Mass is not.
    assert table["boxes"].tolist() == [None, [], [[2.5, 10, 22.5, 15.5]], [], None]
    assert table["box_labels"].tolist() == [None, [], ["Infiltration"], [], None]
    assert table["split"].iloc[4] == "test"
    assert sorted(table["split"].iloc[[0, 2, 3]]) == ["train", "train", "val"]
    assert table["split"].iloc[0] == table["split"].iloc[1]
    assert found.notes == [
        "age: 1 row(s), for example [2], are above 122 years and count as unknown",
        "the set has no val part: drawn from its training patients, 34% each (val "
        f"{(table['split'] == 'val').sum()} images)",
    ]


def test_a_later_release_calls_it_sex(source):
    (source / "Data_Entry_2017_v2020.csv").write_text("\n".join([HEADER.format("Sex"), *ROWS]))
    assert manifest("nih", source).table["sex"].tolist() == ["M", "M", "F", "F", "F"]


@pytest.mark.parametrize("suffix", [".zip", ".tar", ".tar.gz", ".tgz"])
def test_archives_are_read_where_they_lie(source, tmp_path, suffix):
    """Two archives of images, as downloaded: the same pixels as from the folders, and one missing image a row."""
    (source / "images_001" / "images" / NAMES[0]).unlink()
    plain = read_studies(prepare("nih", source, tmp_path / "plain"))
    packed = lay(tmp_path / "packed", {p.name: p.read_bytes() for p in source.iterdir() if p.is_file()})
    for number in (1, 2):
        pack(source / f"images_00{number}", packed / f"images_00{number}{suffix}")
    table = read_studies(prepare("nih", packed, tmp_path / "out"))
    columns = ["image_id", "split", "height", "width", "store_row", "exclude_reason"]
    pd.testing.assert_frame_equal(table[columns], plain[columns])
    assert table["exclude_reason"].tolist() == ["missing file", "", "", "", ""]
    stores = [np.load(folder / "images.npy") for folder in (tmp_path / "plain", tmp_path / "out")]
    np.testing.assert_array_equal(*stores)
    assert stores[0].any(axis=(1, 2)).tolist() == [False, True, True, True, True]


def test_a_tar_that_is_cut_off_costs_what_lies_behind(source, tmp_path, caplog):
    packed = lay(tmp_path / "packed", {p.name: p.read_bytes() for p in source.iterdir() if p.is_file()})
    for number in (1, 2):
        pack(source / f"images_00{number}", packed / f"images_00{number}.tar")
    whole = (packed / "images_001.tar").read_bytes()
    (packed / "images_001.tar").write_bytes(whole[: whole.index(b"00000002_000.png") + 600])
    table = read_studies(prepare("nih", packed, tmp_path / "out"))
    reasons = ["", "", "unreadable: its archive is damaged or encrypted (ReadError)", "", "missing file"]
    assert table["exclude_reason"].tolist() == reasons
    assert "images_001.tar is cut off or damaged" in caplog.text


def test_another_folder_is_told_what_the_set_wants(tmp_path):
    with pytest.raises(CxrError, match=r"no file Data_Entry_2017\*\.csv .*NIH ChestX-ray14 has Data_Entry_2017_v2020"):
        manifest("nih", tmp_path)
    with pytest.raises(CxrError, match="no such folder"):
        manifest("nih", tmp_path / "gone")
