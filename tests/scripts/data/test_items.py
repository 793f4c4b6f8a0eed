"""Data items: what is kept, what is left out, and what is refused."""

from __future__ import annotations

import logging

import cv2
import numpy as np
import pandas as pd
import pytest

from scripts.data.items import raw_items, study_items
from scripts.errors import CxrError

TABLE = pd.DataFrame(
    {
        "image_id": list("abcdef"),
        "image": [f"/data/{name}.dcm" for name in "abcdef"],
        "patient_id": ["p", "p", "q", "r", "s", "t"],
        "study_id": list("123456"),
        "split": ["train", "train", "train", "val", "test", "train"],
        "view": ["PA", "AP Supine", None, "PA", "LATERAL", "PA"],
        "findings": ["Clear lungs", None, "nan", "Effusion", "Opacity", "Clear"],
        "impression": ["Normal.", "Stable.", None, None, None, None],
        "label_opacity": [0, 1, -1, np.nan, 1, 0],
        "label_effusion": [1, 0, 0, 1, np.nan, 0],
        "fraction": pd.Series([1, 1, 100, None, None, 10], dtype="Int64"),
        "store_row": pd.Series([0, 1, 2, 3, 4, None], dtype="Int64"),
        "exclude_reason": ["", "", "", "", "", "unreadable: cut off"],
    }
)


def ids(items: list[dict]) -> str:
    return "".join(item["image_id"] for item in items)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"text": False}, "abcde"),
        ({}, "abde"),
        ({"split": "train"}, "ab"),
        ({"split": ["val", "test"]}, "de"),
        ({"split": "train", "text": False, "fraction": 10}, "ab"),
        ({"view": "frontal"}, "abd"),
        ({"view": ["PA"]}, "ad"),
        ({"view": "AP"}, "b"),
    ],
)
def test_rows_that_are_kept(arguments, expected):
    assert ids(study_items(TABLE, store_dir="/out", **arguments)) == expected


def test_an_item_is_what_transforms_expect():
    item = study_items(TABLE, split="train", labels=["effusion", "opacity"], store_dir="/out")[0]
    assert item.pop("label").tolist() == [1, 0]
    assert item.pop("report") == "Normal. Clear lungs."
    ids = {"image_id": "a", "patient_id": "p"}
    assert item == {"image": "/out/images.npy::0", "view": "PA", "split": "train", **ids}
    assert study_items(TABLE, use_store=False)[0]["image"] == "/data/a.dcm"


def test_labels_keep_uncertain_and_unknown():
    items = study_items(TABLE, text=False, labels=["opacity"], use_store=False)
    assert items[0]["label"].dtype == np.float32
    np.testing.assert_array_equal([item["label"][0] for item in items], [0, 1, -1, np.nan, 1])


def test_images_without_report_are_counted(caplog):
    with caplog.at_level(logging.INFO):
        study_items(TABLE, use_store=False)
    assert "1 of 5 images have no report" in caplog.text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"labels": ["opacitiy"]}, "no column 'label_opacitiy'; did you mean 'opacity'"),
        ({"view": "swimmers"}, "no image left with split=None, view=swimmers"),
        ({"use_store": True}, "store_dir="),
        ({"split": "train", "view": "LATERAL"}, "no image left"),
    ],
)
def test_what_cannot_be_given_is_said(arguments, message):
    with pytest.raises(CxrError, match=message):
        study_items(TABLE, **{"use_store": False, **arguments})


@pytest.mark.parametrize("column", ["findings", "report"])
def test_a_report_column_of_nan_is_refused(column):
    table = TABLE.drop(columns=["findings", "impression"]).assign(**{column: np.nan})
    with pytest.raises(CxrError, match="all 5 reports are empty"):
        study_items(table, use_store=False)
    assert len(study_items(table, use_store=False, text=False)) == 5


def test_a_folder_that_was_never_prepared_names_the_cure(tmp_path):
    with pytest.raises(CxrError, match="python -m bundle prepare"):
        study_items(tmp_path)


def test_raw_items_of_a_csv(tmp_path):
    path = tmp_path / "data.csv"
    rows = [(f"{i}.png", i // 2, "Clear lungs.", i % 2) for i in range(40)]
    pd.DataFrame(rows, columns=["image", "patient_id", "report", "label_opacity"]).to_csv(path, index=False)
    items = raw_items(path, labels=["opacity"])
    assert items[3]["image"] == str(tmp_path / "3.png")
    assert items[3]["patient_id"] == "1"
    assert items[3]["report"] == "Clear lungs."
    assert items[3]["label"].tolist() == [1]
    splits = {name: raw_items(path, split=name) for name in ("train", "val", "test")}
    assert {name: len(items) for name, items in splits.items()} == {"train": 28, "val": 4, "test": 8}
    patients = [{item["patient_id"] for item in items} for items in splits.values()]
    assert len(set.union(*patients)) == sum(map(len, patients)) == 20


def test_prepared_text_is_taken_as_it_stands():
    """What the text store was filled with stays the key, whatever later code would make of the columns."""
    items = study_items(TABLE.assign(clean_text=["As prepared.", "", "", "", "", ""]), use_store=False)
    assert [item["report"] for item in items] == ["As prepared."]


def test_raw_items_of_a_list_and_of_a_folder(tmp_path):
    (tmp_path / "sub").mkdir()
    for name in ("b.png", "sub/a.jpg"):
        cv2.imwrite(str(tmp_path / name), np.zeros((4, 4), np.uint8))
    (tmp_path / "notes.txt").write_text("no image")
    items = raw_items(tmp_path, text=False)
    assert [item["image"] for item in items] == [str(tmp_path / "b.png"), str(tmp_path / "sub" / "a.jpg")]
    assert len({item["image_id"] for item in items}) == 2
    listed = raw_items([{"image": str(tmp_path / "b.png"), "report": "Clear."}])
    assert listed[0]["report"] == "Clear."
    assert listed[0]["image"] == str(tmp_path / "b.png")


@pytest.mark.parametrize("content", [None, "x,y\n1,2\n"])
def test_raw_items_need_images(tmp_path, content):
    path = tmp_path / "data.csv"
    if content:
        path.write_text(content)
    with pytest.raises(CxrError, match=r"no such file|no column 'image'; it has x, y"):
        raw_items(path)
