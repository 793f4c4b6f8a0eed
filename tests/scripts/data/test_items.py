"""Data items: what is kept, what is left out, and what is refused."""

from __future__ import annotations

import logging

import cv2
import numpy as np
import pandas as pd
import pytest

from scripts.data.items import raw_items, study_items
from scripts.data.sources import load_items
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
    ids = {"image_id": "a", "patient_id": "p", "study_id": "1"}
    assert item == {"image": "/out/images.npy::0", "row": 0, "view": "PA", "split": "train", **ids}
    assert study_items(TABLE, use_store=False)[0]["image"] == "/data/a.dcm"


def test_items_know_the_size_of_the_original_where_the_table_does():
    rows = TABLE.assign(height=[3000] * 6, width=[2500.0] * 6, spacing_y=[0.14] * 5 + [None], spacing_x=[0.15] * 6)
    items = study_items(rows, text=False, use_store=False)
    assert [(item["height"], item["width"]) for item in items] == [(3000, 2500)] * 5
    np.testing.assert_allclose(items[0]["spacing"], [0.14, 0.15], rtol=1e-6)
    assert items[0]["spacing"].dtype == np.float32
    rows.loc[0, "height"] = None  # a batch wants the same keys in all items
    assert not any("height" in item for item in study_items(rows, text=False, use_store=False))


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
        ({"view": "swimmers"}, "view=swimmers: no such view; the views are PA, AP"),
        ({"view": "other"}, r"no image with view=other .*its views are PA 2, (.*, )?unknown 1"),
        ({"use_store": True}, "store_dir="),
        ({"split": "train", "view": "LATERAL"}, "no image with view=LATERAL .*its views are "),
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


def test_a_folder_gives_every_image_and_nothing_else(tmp_path, caplog):
    """A dump of a PACS: files named after their UIDs, hidden files, the disc's index, papers."""
    preamble = bytes(128) + b"DICM"
    images = {"1.2.840.113": preamble, "noname": b"\x08\0\x05\0CS", "A.DCM": b"", "scan.TIFF": b"", "sub/b.png": b""}
    others = {".DS_Store": b"", ".hidden/b.png": b"", "._a.dcm": b"", "README": b"Read me.", "letter.pdf": b"%PDF"}
    content = {**images, **others, "DICOMDIR": preamble}
    for name, start in content.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(start)
    with caplog.at_level(logging.INFO):
        items = raw_items(tmp_path, text=False)
    assert {item["source"] for item in items} == set(images)
    assert "6 of 11 files" in caplog.text


def test_a_folder_without_image_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("no image")
    with pytest.raises(CxrError, match="none of the 1 files"):
        raw_items(tmp_path, text=False)


def test_raw_items_of_a_given_split_do_not_part_a_patient():
    table = pd.DataFrame({"image": ["a.png", "b.png", "c.png"], "patient_id": ["DOE", "DOE", "ROE"]})
    with pytest.raises(CxrError, match=r"more than one split, for example that of rows \[0, 1\]") as caught:
        raw_items(table.assign(split=["train", "test", "val"]), split="train", text=False)
    assert "DOE" not in str(caught.value)


def test_raw_rows_without_patient_are_kept_and_said(tmp_path, caplog):
    path = tmp_path / "data.csv"
    path.write_text("image,patient_id\n" + "".join(f"{i}.png,{'' if i % 2 else f'00{i}'}\n" for i in range(20)))
    items = raw_items(path, text=False)
    assert len(items) == 20
    assert {item["split"] for item in items} == {"train", "val", "test"}
    assert [item["patient_id"] for item in items[:2]] == ["000", items[1]["image_id"]]
    assert "10 rows have no patient_id, for example rows [1, 3," in caplog.text


@pytest.mark.parametrize("word", ["val", "valid", "Validation ", "dev", "validate"])
def test_raw_splits_have_many_names(word):
    items = raw_items([{"image": "a.png", "split": "training"}, {"image": "b.png", "split": word}], text=False)
    assert [item["split"] for item in items] == ["train", "val"]


@pytest.mark.parametrize(
    ("column", "cells", "message"),
    [
        ("split", ["train", "fold3"], r"the table: 1 row\(s\), for example \[1\], .*: correct"),
        ("split", ["train", None], r"1 row\(s\), for example \[1\]"),
        ("image", ["a.png", None], r"1 row\(s\), for example \[1\], are without an image"),
        (
            "label_opacity",
            ["1", "yes"],
            r"column 'label_opacity': 1 cell\(s\), for example in row 1, are no label; use 1, 0, -1",
        ),
    ],
)
def test_raw_cells_that_mean_nothing_are_said(column, cells, message):
    table = pd.DataFrame({"image": ["a.png", "b.png"], "label_opacity": [0, 1]}).assign(**{column: cells})
    with pytest.raises(CxrError, match=message):
        raw_items(table, labels=["opacity"], text=False)


def test_a_fold_reaches_the_items():
    items = study_items(TABLE.assign(fold=pd.Series([0, 0, 1, 2, 3, 4], dtype="Int64")), use_store=False, text=False)
    assert [item["fold"] for item in items] == [0, 0, 1, 2, 3]
    assert type(items[0]["fold"]) is int
    assert "fold" not in study_items(TABLE, use_store=False)[0]


def test_a_label_fraction_can_be_asked_for_of_every_source(tmp_path):
    path = tmp_path / "data.csv"
    pd.DataFrame({"image": [f"{i}.png" for i in range(100)]}).to_csv(path, index=False)
    count = {fraction: len(load_items(path, split="train", text=False, fraction=fraction)) for fraction in (1, 10, 100)}
    assert count == {1: 1, 10: 7, 100: 70}
    TABLE.to_parquet(tmp_path / "studies.parquet")
    (tmp_path / "prepare.json").write_text('{"source": "/data", "source_relative": "."}')
    assert ids(load_items(tmp_path, split="train", text=False, fraction=10)) == "ab"


@pytest.mark.parametrize("content", [None, "x,y\n1,2\n"])
def test_raw_items_need_images(tmp_path, content):
    path = tmp_path / "data.csv"
    if content:
        path.write_text(content)
    with pytest.raises(CxrError, match=r"no such file|no column 'image'; it has x, y"):
        raw_items(path)
