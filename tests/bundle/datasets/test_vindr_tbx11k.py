"""VinDr-CXR of PhysioNet and Kaggle, and TBX11K."""

from __future__ import annotations

import json

import numpy as np
import pytest

from scripts.errors import CxrError

from .miniature import lay, manifest, picture

TRAIN = (
    "image_id,rad_id,class_name,x_min,y_min,x_max,y_max",
    "a,R8,Cardiomegaly,0,0,10,10", "a,R9,Cardiomegaly,1,0,11,10", "a,R10,Cardiomegaly,-1,0,9,10",
    "b,R8,No finding,,,,", "b,R9,Other diseases,5,5,9,9", "b,R10,No finding,,,,",
    "c,R1,No finding,,,,", "c,R2,No finding,,,,", "c,R3,No finding,,,,",
)  # fmt: skip
TEST = ("image_id,class_name,x_min,y_min,x_max,y_max", "t,Other disease,1,2,3,4", "u,No finding,,,,")


@pytest.fixture
def physionet(tmp_path):
    tables = {"annotations/annotations_train.csv": TRAIN, "annotations/annotations_test.csv": TEST}
    return lay(tmp_path, {**{name: "\n".join(rows) for name, rows in tables.items()}, "train/a.dicom": b"x"})


@pytest.mark.parametrize(
    ("rule", "boxes", "other"),
    [
        ("majority", [[[0, 0, 10, 10]], [], []], [0, 0, 0]),
        ("any", [[[0, 0, 10, 10]], [[5, 5, 9, 9]], []], [0, 1, 0]),
        ("R9", [[[1, 0, 11, 10]], [[5, 5, 9, 9]], None], [0, 1, np.nan]),
    ],
)
def test_vindr_of_physionet_cell_by_cell(physionet, rule, boxes, other):
    found = manifest("vindr", physionet, "--readers", rule, "--val-share", "0.34")
    table = found.table
    assert table["image_id"].tolist() == table["patient_id"].tolist() == ["a", "b", "c", "t", "u"]
    assert table["image"].iloc[0] == str(physionet / "train" / "a.dicom")
    assert table["boxes"].tolist() == [*boxes, [[1, 2, 3, 4]], []]
    assert table["box_labels"].iloc[3] == ["Other diseases"]  # as the training part calls it
    np.testing.assert_array_equal(table["label_Other diseases"], [*other, 1, 0])
    # R9 did not read c; the test part has no box of a heart, and so none is there.
    np.testing.assert_array_equal(table["label_Cardiomegaly"], [1, 0, np.nan if rule == "R9" else 0, 0, 0])
    assert "label_No finding" not in table
    assert table["split"].iloc[3:].tolist() == ["test", "test"]
    assert sorted(table["split"].iloc[:3]) == ["train", "train", "val"]


def test_image_labels_of_physionet_decide_where_they_are(physionet):
    """They have the global findings, too, which nobody draws."""
    who = {"a": ("R8", "R9", "R10"), "b": ("R8", "R9", "R10"), "c": ("R1", "R2", "R3")}
    train = ["image_id,rad_id,Cardiomegaly,Other diseases,Pneumonia,No finding"] + [
        f"{image},{reader},{int(image == 'a')},0,{int(image == 'b' and reader != 'R8')},0"
        for image, readers in who.items()
        for reader in readers
    ]
    test = ["image_id,Cardiomegaly,Other disease,Pneumonia,No finding", "t,0,1,0,0", "u,0,0,1,0"]
    tables = {f"image_labels_{name}.csv": "\n".join(rows) for name, rows in (("train", train), ("test", test))}
    lay(physionet / "annotations", tables)
    table = manifest("vindr", physionet).table
    assert table["label_Pneumonia"].tolist() == [0, 1, 0, 0, 1]
    assert table["label_Other diseases"].tolist() == [0, 0, 0, 1, 0]
    assert table["label_Cardiomegaly"].tolist() == [1, 0, 0, 0, 0]


def test_vindr_of_kaggle(tmp_path):
    rows = [TRAIN[0].replace("rad_id,class_name", "class_name,class_id,rad_id")]
    rows += [
        ",".join([image, name, "0", reader, *box])
        for image, reader, name, *box in (row.split(",") for row in TRAIN[1:])
    ]
    table = manifest("vindr", lay(tmp_path, {"train.csv": "\n".join(rows), "train/a.dicom": b"x"})).table
    assert table["boxes"].tolist() == [[[0, 0, 10, 10]], [], []]
    assert "split" not in table


def test_a_reader_that_nobody_knows(physionet):
    with pytest.raises(CxrError, match=r"--readers R99: write any, majority or one of R1, R10, R2"):
        manifest("vindr", physionet, "--readers", "R99")


def coco(images, annotations):
    names = {1: "ActiveTuberculosis", 2: "ObsoletePulmonaryTuberculosis", 3: "PulmonaryTuberculosis"}
    return json.dumps(
        {
            "images": [{"id": number, "file_name": name} for number, name in images.items()],
            "categories": [{"id": number, "name": name} for number, name in names.items()],
            "annotations": [{"image_id": image, "category_id": kind, "bbox": box} for image, kind, box in annotations],
        }
    )


def test_tbx11k_cell_by_cell(tmp_path):
    train = {1: "health/h1.png", 2: "sick/s1.png", 3: "tb/tb1.png", 4: "tb/tb1199.png", 5: "health/h2.png"}
    files = {
        "annotations/json/TBX11K_train.json": coco(train, [(3, 1, [10, 20, 30, 40]), (3, 2, [1, 2, 3, 4])]),
        "annotations/json/TBX11K_val.json": coco({9: "tb/tb2.png"}, [(9, 2, [5, 5, 5, 5])]),
        **{f"imgs/{name}": picture(seed) for seed, name in [*train.items(), (9, "tb/tb2.png"), (10, "test/x.png")]},
    }
    found = manifest("tbx11k", lay(tmp_path, files), "--val-share", "0.3")
    table = found.table
    assert table["image"].tolist() == [str(tmp_path / "imgs" / name) for name in [*train.values(), "tb/tb2.png"]]
    assert table["boxes"].tolist() == [[], [], [[10, 20, 40, 60], [1, 2, 4, 6]], [], [], [[5, 5, 10, 10]]]
    assert table["label_ActiveTuberculosis"].tolist() == [0, 0, 1, 0, 0, 0]
    assert table["label_ObsoletePulmonaryTuberculosis"].tolist() == [0, 0, 1, 0, 0, 1]
    assert table["label_sick"].tolist() == [0, 1, 0, 0, 0, 0]
    assert table["exclude_reason"].iloc[3].startswith("known to be unusable: in folder tb without an annotation")
    assert table["split"].iloc[5] == "val" and (table["split"] == "test").any()
    assert found.notes[-2] == "1 images of the test part are left out: their labels are withheld"
