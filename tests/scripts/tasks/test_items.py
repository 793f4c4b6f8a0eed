"""Items of the three tasks: what is known, what is left out, folds, raw files, and what is refused."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from scripts.errors import CxrError
from scripts.tasks.classification.items import classification_items
from scripts.tasks.detection.items import box_names, detection_items
from scripts.tasks.registry import TASKS
from scripts.tasks.segmentation.items import mask_names, segmentation_items

ITEMS: dict[str, Any] = {
    "classification": classification_items,
    "segmentation": segmentation_items,
    "detection": detection_items,
}

ROWS = {
    "image": [f"{name}.png" for name in "abcdef"],
    "patient_id": ["p", "p", "q", "r", "s", "t"],
    "split": ["train", "train", "train", "val", "test", "train"],
    "view": ["PA", "AP", None, "PA", "L", "PA"],
    "sex": ["F", "F", None, "M", "M", "F"],
    "age": [61, 61.5, None, "unknown", 40, 5],
    "label_opacity": [0, 1, -1, None, 1, None],
    "label_effusion": [1, 0, None, 1, None, None],
    "mask_lungs": ["m/a.png", "1 5", "-1", None, "m/e.png|2 3", ""],
    "mask_heart": ["", None, "m/c.png", None, "", ""],
    "boxes": ["[[1, 2, 3, 4], [5, 5, 9, 9.5]]", "[]", None, "[[0, 0, 4, 4]]", "", "[[2, 2, 5, 5]]"],
    "box_labels": ['["nodule", "mass"]', "[]", None, '["mass"]', "", '["nodule"]'],
}


@pytest.fixture(params=["csv", "parquet", "prepared"])
def source(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """The same six images as raw files and as a folder made by prepare; the last one of it was excluded."""
    table = pd.DataFrame(ROWS)
    if request.param == "csv":
        table.iloc[:5].to_csv(tmp_path / "t.csv", index=False)
        return tmp_path / "t.csv"
    for column in ("boxes", "box_labels"):
        table[column] = table[column].map(lambda cell: json.loads(cell) if isinstance(cell, str) and cell else None)
    table["age"] = pd.to_numeric(table["age"], errors="coerce")
    if request.param == "parquet":
        table.iloc[:5].to_parquet(tmp_path / "t.parquet")
        return tmp_path / "t.parquet"
    table = table.assign(image_id=list("abcdef"), study_id=list("abcdef"), height=100, width=[80, 81, 82, 83, 84, None])
    table = table.assign(
        spacing_y=[0.2, None, None, None, 0.1, 0.1], spacing_x=[0.3, None, None, None, 0.1, 0.1],
        exclude_reason=[""] * 5 + ["unreadable"], store_row=pd.Series([0, 1, 2, 3, 4, None], dtype="Int64"),
        fraction=pd.Series([1, 1, 100, None, None, 10], dtype="Int64"),
    ).astype({"width": "Int64"})  # fmt: skip
    table.to_parquet(tmp_path / "studies.parquet")
    (tmp_path / "prepare.json").write_text(json.dumps({"source": str(tmp_path), "source_relative": "."}))
    return tmp_path


def letters(source: Path, items: list[dict[str, Any]]) -> str:
    """Which of the six images the items are."""
    if source.is_dir():
        return "".join(item["image_id"] for item in items)
    return "".join(Path(item["image"]).stem for item in items)


def test_findings(source: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        items = classification_items(source, ["effusion", "opacity"])
    assert letters(source, items) == "abde"
    expected = [[1, 0], [0, 1], [1, np.nan], [np.nan, 1]]
    np.testing.assert_array_equal([item["label"] for item in items], expected)
    assert items[0]["label"].dtype == np.float32
    assert "1 of 5 images are left out, for nothing is known about effusion, opacity" in caplog.text
    kept = classification_items(source, ["effusion", "opacity"], uncertain={"opacity": "ones"}, unknown="zeros")
    np.testing.assert_array_equal([item["label"] for item in kept], [[1, 0], [0, 1], [0, 1], [1, 0], [0, 1]])


def test_one_finding_an_image(source: Path) -> None:
    arguments: dict[str, Any] = {"classes": "multiclass", "split": ["train", "val"]}
    items = classification_items(source, ["effusion", "opacity"], **arguments)
    assert [item["label"].tolist()[0] for item in items] == [1, 0, 1]
    with pytest.raises(CxrError, match=r"row 1 has 0 of the findings effusion; multiclass wants exactly one"):
        classification_items(source, ["effusion"], **arguments)


def test_the_one_class_of_an_image_says_no_to_the_others(tmp_path: Path) -> None:
    table = {"image": list("abc"), "split": "train", "label_covid": [1, None, None], "label_normal": [None, 1, None]}
    pd.DataFrame(table).to_csv(tmp_path / "t.csv", index=False)
    items = classification_items(tmp_path / "t.csv", ["covid", "normal"], classes="multiclass")
    assert [item["label"].tolist() for item in items] == [[1, 0], [0, 1]]


def test_an_image_with_two_rows_is_refused(tmp_path: Path) -> None:
    table = {
        "image": ["a", "b", "a"],
        "patient_id": ["1", "2", "1"],
        "split": "train",
        "mask_air": ["1 2", "-1", "5 2"],
    }
    pd.DataFrame(table).to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(CxrError, match=r"2 rows repeat an image, for example rows \[0, 2\]"):
        segmentation_items(tmp_path / "t.csv", ["air"])


def test_masks(source: Path) -> None:
    folder = source if source.is_dir() else source.parent
    items = segmentation_items(source, ["heart", "lungs"])
    assert letters(source, items) == "abce"
    assert [item["label"] for item in items] == [
        ["", f"{folder}/m/a.png"],
        ["", "1 5"],
        [f"{folder}/m/c.png", "-1"],
        ["", f"{folder}/m/e.png|2 3"],
    ]
    assert letters(source, segmentation_items(source, ["heart"])) == "c"


def test_boxes(source: Path) -> None:
    items = detection_items(source, ["nodule"])
    assert letters(source, items) == "abd"  # with one, looked for in vain, with a box of another name
    assert [item["box"].tolist() for item in items] == [[[1, 2, 3, 4]], [], []]
    assert [item["box"].shape for item in items] == [(1, 4), (0, 4), (0, 4)]
    assert {item["box"].dtype for item in items} == {np.dtype("float32")}
    assert {item["label"].dtype for item in items} == {np.dtype("int64")}
    both = detection_items(source, ["nodule", "mass"])
    assert [item["label"].tolist() for item in both] == [[0, 1], [], [1]]
    assert both[0]["box"].tolist()[1] == [5, 5, 9, 9.5]


def test_what_every_item_carries(source: Path) -> None:
    first, second = detection_items(source, ["mass"], split="train")
    assert first.keys() == second.keys()
    assert (first["patient_id"], first["split"], first["view"], first["sex"], first["age"]) == (
        "p",
        "train",
        "PA",
        "F",
        61,
    )
    unknown = segmentation_items(source, ["heart"])[0]
    assert (unknown["view"], unknown["sex"]) == ("unknown", "")
    assert np.isnan(unknown["age"])
    assert first["spacing"].dtype == np.float32
    if source.is_dir():
        assert first["image"] == str(source / "images.npy::0")
        assert (first["height"], first["width"], type(first["width"])) == (100, 80, int)
        np.testing.assert_allclose([first["spacing"], second["spacing"]], [[0.2, 0.3], [np.nan, np.nan]], rtol=1e-6)
    else:
        assert first["image"] == str(source.parent / "a.png")
        assert "height" not in first  # the image itself will say
        assert np.isnan(first["spacing"]).all()


@pytest.mark.parametrize(
    ("task", "names"),
    [
        ("classification", ["opacity", "effusion"]),
        ("segmentation", ["lungs", "heart"]),
        ("detection", ["mass", "nodule"]),
    ],
)
def test_names_of_a_source(source: Path, task: Any, names: list[str]) -> None:
    assert TASKS[task].target_names(source) == names


@pytest.mark.parametrize(
    ("task", "names", "arguments", "message"),
    [
        ("classification", ["opacitiy"], {}, "no labels of 'opacitiy'; did you mean 'opacity'"),
        ("classification", "[Mass (>3 cm)]", {}, r"names=\[Mass \(>3 cm\)\]: no list; quote each name: --names"),
        ("segmentation", ["ribs"], {}, "no masks of 'ribs'; it has lungs, heart"),
        ("detection", ["Masss"], {}, "no boxes of 'Masss'; did you mean 'mass'"),
        ("detection", [], {}, "give each finding once; the source has mass, nodule"),
        ("detection", ["mass", "mass"], {}, "give each finding once"),
        ("segmentation", ["heart"], {"split": "test"}, "nothing is known about heart in the 1 images"),
        ("detection", ["mass"], {"fraction": 20}, "fraction=20 is none of the nested label fractions 1, 10, 100 %"),
        ("detection", ["mass"], {"split": "val", "view": "AP"}, "no image with view=AP"),
        ("detection", ["mass"], {"fold": 5}, "fold=5, but its folds are 0 to"),
    ],
)
def test_what_cannot_be_given_is_said(
    source: Path, task: Any, names: list[str], arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(CxrError, match=message):
        ITEMS[task](source, names, **arguments)


@pytest.mark.parametrize(
    ("column", "cell", "message"),
    [
        ("boxes", "[[1, 2, 1, 4]]", r"t.csv: table row 0: a box needs x0 < x1"),
        ("boxes", "1 2 3 4", r"t.csv: column 'boxes', row 0: expected a JSON list"),
        ("box_labels", '["mass"]', "row 0: a box needs .* one label"),
    ],
)
def test_boxes_that_mean_nothing_are_said(tmp_path: Path, column: str, cell: str, message: str) -> None:
    table = pd.DataFrame(ROWS)
    table.loc[0, column] = cell
    table.to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(CxrError, match=message):
        detection_items(tmp_path / "t.csv", ["mass"])


def test_raw_boxes_without_names_are_findings(tmp_path: Path) -> None:
    pd.DataFrame(ROWS).drop(columns="box_labels").to_csv(tmp_path / "t.csv", index=False)
    assert box_names(tmp_path / "t.csv") == ["finding"]
    assert mask_names(tmp_path / "t.csv") == ["lungs", "heart"]
    (tmp_path / "none.csv").write_text("image\na.png\n")
    assert box_names(tmp_path / "none.csv") == []


@pytest.fixture
def hundred(tmp_path: Path) -> Path:
    """120 images of 60 patients, all with a label."""
    table = pd.DataFrame({"image": [f"{i}.png" for i in range(120)], "patient_id": [f"p{i // 2}" for i in range(120)]})
    table.assign(label_opacity=1).to_csv(tmp_path / "t.csv", index=False)
    return tmp_path / "t.csv"


def test_every_turn_of_a_cross_validation(hundred: Path) -> None:
    """Five turns test each patient once; validation is the next turn's test; nobody is on two sides."""
    tested = []
    for fold in range(5):
        parts = {
            split: {item["patient_id"] for item in classification_items(hundred, ["opacity"], split, fold=fold)}
            for split in ("train", "val", "test")
        }
        assert {split: len(part) for split, part in parts.items()} == {"train": 36, "val": 12, "test": 12}
        assert len(set.union(*parts.values())) == 60
        tested.append((parts["val"], parts["test"]))
    assert set.union(*(test for _, test in tested)) == {f"p{i}" for i in range(60)}
    assert all(tested[fold][0] == tested[(fold + 1) % 5][1] for fold in range(5))


def test_label_fractions_of_a_turn_are_nested_and_leave_the_held_out_images(hundred: Path) -> None:
    def images(split: str, fraction: int) -> set[str]:
        items = classification_items(hundred, ["opacity"], split, fold=2, fraction=fraction)
        return {item["image"] for item in items}

    parts = [images("train", fraction) for fraction in (1, 10, 100)]
    assert [len(part) for part in parts] == [2, 8, 72]  # both images of 1, 4 and 36 patients
    assert parts[0] < parts[1] < parts[2]
    assert images("test", 1) == images("test", 100)


def test_folds_of_the_table_are_kept(tmp_path: Path) -> None:
    table = pd.DataFrame({"image": list("abcd"), "patient_id": list("abca"), "fold": [0, 1, 2, 0], "label_x": 1})
    table.to_csv(tmp_path / "t.csv", index=False)
    items = classification_items(tmp_path / "t.csv", ["x"], fold=1)
    assert [item["split"] for item in items] == ["train", "test", "val", "train"]
    table.assign(fold=[0, 1, 2, 1]).to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(CxrError, match=r"in more than one split, for example that of rows \[0, 3\]"):
        classification_items(tmp_path / "t.csv", ["x"], fold=1)
    table.assign(fold=[0, 1, None, 0]).to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(CxrError, match=r"1 row\(s\), for example \[2\], are in no fold"):
        classification_items(tmp_path / "t.csv", ["x"], fold=1)


def test_the_demo_has_everything(prepared: Path) -> None:
    for name, task in TASKS.items():
        items = ITEMS[name](prepared, task.target_names(prepared))
        assert len(items) == 36
        assert all(item["height"] >= 128 for item in items)
    assert any(np.isfinite(item["spacing"]).all() for item in items)
