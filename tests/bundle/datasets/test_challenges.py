"""RSNA, SIIM-ACR, Object-CXR and COVIDx."""

from __future__ import annotations

import json

import numpy as np
import pytest

from scripts.data.masks import read_mask
from scripts.errors import CxrError

from .miniature import lay, manifest, pack, picture

RSNA = (
    "patientId,x,y,width,height,Target\na1,,,,,0\nb2,264.0,152.0,213.0,379.0,1\nb2,562.0,152.0,256.0,453.0,1\n"
    "c3,10.0,20.0,30.0,40.0,1\n"
)


def test_rsna_cell_by_cell(tmp_path):
    source = lay(tmp_path, {"stage_2_train_labels.csv": RSNA, "stage_2_train_images/b2.dcm": b"x"})
    found = manifest("rsna", source)
    table = found.table
    assert (
        table["image_id"].tolist() == table["patient_id"].tolist() == table["study_id"].tolist() == ["a1", "b2", "c3"]
    )
    assert table["image"].iloc[1] == str(source / "stage_2_train_images" / "b2.dcm")
    assert table["label_Pneumonia"].tolist() == [0, 1, 1]
    assert table["boxes"].tolist() == [[], [[264, 152, 477, 531], [562, 152, 818, 605]], [[10, 20, 40, 60]]]
    assert table["box_labels"].tolist() == [[], ["pneumonia"] * 2, ["pneumonia"]]
    expected = np.zeros((1024, 1024), bool)
    expected[152:531, 264:477] = expected[152:605, 562:818] = True
    np.testing.assert_array_equal(read_mask(table["mask_pneumonia"].iloc[1], (1024, 1024)), expected)
    assert table["mask_pneumonia"].iloc[0] == "-1"
    assert "split" not in table  # drawn by prepare
    assert "IS AN IMAGE" in found.notes[0]


def test_rsna_with_its_mapping_has_nih_patients(tmp_path):
    rows = [
        {"subset_img_id": "a1", "img_id": "00000007_000.png"},
        {"subset_img_id": "b2", "img_id": "00000007_002.png"},
        {"subset_img_id": "", "img_id": "00000009_000.png"},
    ]
    files = {"stage_2_train_labels.csv": RSNA, "pneumonia-challenge-dataset-mappings_2018.json": json.dumps(rows)}
    found = manifest("rsna", lay(tmp_path, files))
    assert found.table["patient_id"].tolist() == ["7", "7", "c3"]
    assert found.notes == ["2 of 3 images have their NIH patient"]


SIIM = ["u.1, -1", "u.2,2 3 4 1", "u.2,20 2", "u.3,-1"]


@pytest.mark.parametrize("name", ["train-rle.csv", "stage_2_train.csv"])
def test_siim_cell_by_cell(tmp_path, name):
    """The header's blank, the sentinel with and without one, and the rows of an image as one mask."""
    lay(tmp_path, {name: "\n".join(["ImageId, EncodedPixels", *SIIM]), "dicom-images-train/s/r/u.2.dcm": b"x"})
    found = manifest("siim", tmp_path)
    table = found.table
    assert table["image_id"].tolist() == table["patient_id"].tolist() == ["u.1", "u.2", "u.3"]
    assert table["image"].iloc[1] == str(tmp_path / "dicom-images-train/s/r/u.2.dcm")
    assert table["label_Pneumothorax"].tolist() == [0, 1, 0]
    # As the challenge's own function reads them: counted from the end of the run before, turned at the end.
    expected = np.zeros((6, 5), bool)
    for runs in ([(2, 3), (4, 1)], [(20, 2)]):
        flat, position = np.zeros(30, bool), 0
        for offset, length in runs:
            flat[position + offset : position + offset + length] = True
            position += offset + length
        expected |= flat.reshape(5, 6).T
    np.testing.assert_array_equal(read_mask(table["mask_pneumothorax"].iloc[1], (6, 5)), expected)
    assert table["mask_pneumothorax"].iloc[0] == table["mask_pneumothorax"].iloc[2] == "-1"
    assert "no mapping exists" in found.notes[0]


@pytest.mark.parametrize("column", ["image_name", "image_path"])
def test_object_cxr_cell_by_cell(tmp_path, column):
    """A rectangle, an ellipse, a polygon of five points; archives unopened; the parts may number alike."""
    train = ["1.jpg,0 10 20 30 40;1 50 60 70 80", '2.jpg,"2 5 9 8 3 12 7 11 15 6 14"', "3.jpg,"]
    texts = {"train.csv": "\n".join([f"{column},annotation", *train]), "dev.csv": f"{column},annotation\n1.jpg,\n"}
    source = lay(tmp_path / "set", texts)
    for name, images in (("train", "123"), ("dev", "1")):
        pack(
            lay(tmp_path / name, {f"{image}.jpg": picture(1, suffix=".jpg") for image in images}),
            source / f"{name}.zip",
        )
    table = manifest("object-cxr", source, "--val-share", "0.34").table
    assert table["image_id"].tolist() == ["train/1.jpg", "train/2.jpg", "train/3.jpg", "dev/1.jpg"]
    assert table["image"].tolist() == [
        *(str(source / "train.zip" / f"{n}.jpg") for n in "123"), str(source / "dev.zip" / "1.jpg"),
    ]  # fmt: skip
    assert table["boxes"].tolist() == [[[10, 20, 30, 40], [50, 60, 70, 80]], [[5, 3, 12, 15]], [], []]
    assert table["box_labels"].iloc[0] == ["foreign_object"] * 2
    assert table["label_foreign_object"].tolist() == [1, 1, 0, 0]
    assert table["split"].iloc[3] == "test" and sorted(table["split"].iloc[:3]) == ["train", "train", "val"]


TRAIN = (
    "n1 rnsa_1.png normal rnsa\n12 a scan.png pneumonia rsna\n12 c.jpg COVID-19 stonybrook\n13 d.jpg COVID-19 cohen\n"
    "14 e.png normal rsna\n15 f.png normal rsna\n"
)


def test_covidx_cell_by_cell(tmp_path):
    """No header, a name with a blank, a misspelt source, one number in two hospitals."""
    source = lay(
        tmp_path, {"train_COVIDx9A.txt": TRAIN, "test_COVIDx9A.txt": "99 t.png COVID-19 rsna\n", "train/c.jpg": b"x"}
    )
    found = manifest("covidx", source, "--val-share", "0.2")
    table = found.table
    assert table["image_id"].tolist() == [
        *("train/rnsa_1.png", "train/a scan.png", "train/c.jpg", "train/d.jpg", "train/e.png", "train/f.png"),
        "test/t.png",
    ]
    assert table["patient_id"].tolist() == [
        *("rsna/n1", "rsna/12", "stonybrook/12", "cohen/13", "rsna/14", "rsna/15", "rsna/99"),
    ]
    assert table["image"].iloc[2] == str(source / "train" / "c.jpg")
    assert table["label_normal"].tolist() == [1, 0, 0, 0, 1, 1, 0]
    assert table["label_pneumonia"].tolist() == [0, 1, 0, 0, 0, 0, 0]
    assert table["label_COVID-19"].tolist() == [0, 0, 1, 1, 0, 0, 1]
    assert table["split"].iloc[6] == "test" and (table["split"] == "val").sum() == 1
    notes = " ".join(found.notes)
    assert "stonybrook: COVID-19 1" in notes and "rsna: normal 3, pneumonia 1, COVID-19 1" in notes
    assert "the patients of its rsna images are images" in notes
    assert not {"origin", "label", "part"} & set(table)


def test_a_line_of_covidx_that_is_none_is_named(tmp_path):
    lay(tmp_path, {"train_COVIDx9A.txt": "a b c d\nonly two\n", "test_COVIDx9A.txt": "a b c d\n"})
    with pytest.raises(CxrError, match=r"train_COVIDx9A\.txt: line 2 is not `patient file class source`"):
        manifest("covidx", tmp_path)


def test_a_release_of_covidx_is_chosen(tmp_path):
    for part in ("train", "test"):
        for release in ("9A", "9B"):
            lay(tmp_path, {f"{part}_COVIDx{release}.txt": f"{part} {part}{release}.png normal cohen\n"})
    assert manifest("covidx", tmp_path).table["image_id"].tolist() == ["train/train9A.png", "test/test9A.png"]
    chosen = manifest("covidx", tmp_path, "--release", "9B").table
    assert chosen["image_id"].tolist() == ["train/train9B.png", "test/test9B.png"]


def test_siim_counts_images_without_a_row_and_takes_blanks_for_unknown(tmp_path):
    rows = ["ImageId, EncodedPixels", "u.1,", "u.2,-1"]
    images = {f"dicom-images-train/s/r/u.{n}.dcm": b"x" for n in (1, 2, 3)}
    found = manifest("siim", lay(tmp_path, {"train-rle.csv": "\n".join(rows), **images}))
    np.testing.assert_array_equal(found.table["label_Pneumothorax"], [np.nan, 0])
    assert found.table["mask_pneumothorax"].tolist() == ["", "-1"]
    assert found.notes[1:] == ["1 images have no row in the table and are left out"]


@pytest.mark.parametrize(
    ("layout", "files", "message"),
    [
        ("siim", {"train-rle.csv": "ImageId, EncodedPixels\nu.1,1 2 3"}, "pairs of a start and a length"),
        ("siim", {"train-rle.csv": "ImageId, EncodedPixels\nu.1,one 2"}, "pairs of a start and a length"),
        ("object-cxr", {"train.csv": "image_name,annotation\na.jpg,2 1 2 3\n"}, r"train\.csv row 0: an annotation"),
        ("object-cxr", {"train.csv": "image_name,annotation\na.jpg,0 1 2 3 x\n"}, r"train\.csv row 0: an annotation"),
        ("rsna", {"stage_2_train_labels.csv": RSNA, "mappings.json": "[{"}, r"mappings\.json is no JSON"),
        ("rsna", {"stage_2_train_labels.csv": "image,x\na,1\n"}, "a file of RSNA .* has no .*; it should be one"),
        ("nih", {"Data_Entry_2017_v2020.csv": "file,label\na,b\n"}, "a file of NIH ChestX-ray14 has no 'Image Index'"),
        ("tbx11k", {"TBX11K_train.json": "{}", "TBX11K_val.json": "{}"}, "a file of TBX11K has no 'images'"),
        ("tbx11k", {"TBX11K_train.json": "{", "TBX11K_val.json": "{}"}, r"TBX11K_train\.json is no JSON"),
    ],
)  # fmt: skip
def test_damaged_files_are_named(tmp_path, layout, files, message):
    with pytest.raises(CxrError, match=message):
        manifest(layout, lay(tmp_path, files))
