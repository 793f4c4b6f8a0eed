"""The sets' real tables, which torchxrayvision's wheel carries (`pip install --no-deps torchxrayvision==1.5.7`, as
`.ci/run` does): every row is read, and the counts are those of ../shared/reference/archives.md, counted by other code.
The images are not there.
"""

from __future__ import annotations

import importlib.util
from importlib.metadata import version
from pathlib import Path

import pytest

from bundle.datasets import Manifest
from scripts.data.table_file import read_table

from .miniature import lay, manifest


@pytest.fixture(scope="module")
def tables() -> Path:
    """Folder of the wheel's tables; nothing of it is imported, for it wants torchvision."""
    found = importlib.util.find_spec("torchxrayvision")
    if found is None or found.origin is None:
        pytest.skip("torchxrayvision is not installed; .ci/run installs it")
    assert version("torchxrayvision") == "1.5.7"
    return Path(found.origin).parent / "data"


def read(tables: Path, folder: Path, layout: str, files: dict[str, str], *arguments: str) -> Manifest:
    """The layout's manifest of some of the tables, under the names as downloaded."""
    folder.mkdir(exist_ok=True)
    for theirs, name in files.items():
        (folder / name).symlink_to(tables / theirs)
    return manifest(layout, folder, *arguments)


def test_nih(tables, tmp_path):
    names = ("Data_Entry_2017_v2020.csv.gz", "BBox_List_2017.csv.gz")
    table = read(tables, tmp_path, "nih", {name: name for name in names}).table
    assert (len(table), table["patient_id"].nunique()) == (112_120, 30_805)
    drawn = table["boxes"].map(lambda boxes: len(boxes or []))
    assert (drawn.sum(), (drawn > 0).sum()) == (984, 880)
    assert table["box_labels"].explode().value_counts()["Infiltration"] == 123
    assert table["age"].max() <= 122


def test_chexpert(tables, tmp_path):
    """Only train.csv is in the wheel; valid.csv is one row with the real header."""
    header = "Path,Sex,Age,Frontal/Lateral,AP/PA,No Finding,Pneumonia"
    row = "CheXpert-v1.0-small/valid/patient64541/study1/view1_frontal.jpg,Male,73,Frontal,AP,0.0,0.0"
    first = "CheXpert-v1.0-small/train/patient00001/study1/view1_frontal.jpg"
    lay(tmp_path, {"valid.csv": f"{header}\n{row}\n", first: b"x", row.split(",")[0]: b"x"})
    found = read(tables, tmp_path, "chexpert", {"chexpert_train.csv.gz": "train.csv"})
    train = found.table[found.table["image_id"].str.contains("/train/")]
    assert (len(train), train["patient_id"].nunique()) == (223_414, 64_540)
    assert [(train["label_Pneumonia"] == value).sum() for value in (1, 0)] == [6_039, 2_799]
    assert (train["label_No Finding"] == 1).sum() == 22_381 and train["label_No Finding"].isna().sum() == 201_033
    assert train["view"].value_counts().to_dict()["Lateral"] == 32_387
    assert (train["view"] == "Frontal").sum() == 17  # LL or RL stands beside them
    assert (train["sex"].isna().sum(), train["age"].isna().sum()) == (1, 3)


def test_padchest(tables, tmp_path):
    name = "PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv.gz"
    found = read(tables, tmp_path, "padchest", {name: name})
    table = found.table
    assert len(table) == 160_861
    # No list, `unchanged` alone, and empty ones: they say nothing of a finding.
    assert table["label_pneumonia"].isna().sum() == 103 + 3_705 + 777
    # By csv and ast alone: `exclude` 1,284 and ` exclude` 28, `suboptimal study` 1,546 and with a blank 294, one twice.
    assert (table["exclude_reason"] != "").sum() == 3_151
    assert "232 images are `normal` and something else" in found.notes


def test_dicom_files_of_openi_are_found_by_the_names_that_its_own_table_gives_them(tables, tmp_path):
    """`./1000_IM-0003-2001.dcm` is image CXR1000_IM-0003-2001."""
    raw = read_table(tables / "nlmcxr_dicom_metadata.csv.gz")
    place = next(column for column in raw if raw[column].fillna("").str.startswith("./").any())
    some = raw.drop_duplicates("imageid").iloc[::1500]
    images = "".join(f'<parentImage id="{name}"/>' for name in some["imageid"])
    files = {name.removeprefix("./"): b"x" for name in some[place]}
    report = f'<eCitation><uId id="CXR1"/><AbstractText Label="FINDINGS">Clear.</AbstractText>{images}</eCitation>'
    lay(tmp_path, {**files, "ecgen-radiology/1.xml": report})
    names = {"nlmcxr_dicom_metadata.csv.gz": "nlmcxr_dicom_metadata.csv.gz"}
    table = read(tables, tmp_path, "openi", names).table
    assert sorted(table["image"]) == sorted(str(tmp_path / name) for name in files)
    assert table["view"].notna().any()


def test_rsna(tables, tmp_path):
    name = "kaggle_stage_2_train_labels.csv.zip"
    table = read(tables, tmp_path, "rsna", {name: "stage_2_train_labels.csv.zip"}).table
    assert len(table) == 26_684
    assert sum(map(len, table["boxes"])) + (table["label_Pneumonia"] == 0).sum() == 30_227


def test_siim(tables, tmp_path):
    table = read(tables, tmp_path, "siim", {"siim-pneumothorax-train-rle.csv.gz": "train-rle.csv"}).table
    assert (len(table), int(table["label_Pneumothorax"].sum())) == (12_047, 2_669)
    assert (table["mask_pneumothorax"].str.count(r"\|") > 0).sum() == 624


def test_vindr(tables, tmp_path):
    """Each drawn box once where every reader counts and none is merged; a heart once where two agree."""
    found = read(tables, tmp_path, "vindr", {"vinbigdata-train.csv.gz": "train.csv"}, "--readers", "any").table
    assert len(found) == 15_000
    assert found["boxes"].map(bool).sum() == 4_394
    assert sum(map(len, found["boxes"])) < 36_096
    hearts = (
        manifest("vindr", tmp_path, "--readers", "majority")
        .table["box_labels"]
        .map(lambda names: names.count("Cardiomegaly"))
    )
    assert hearts.max() == 1
