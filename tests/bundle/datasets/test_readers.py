"""Several readers: votes, and objects that several drew."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bundle.datasets.box_lists import around_polygon, from_coco
from bundle.datasets.readers import merge_boxes, vote
from bundle.datasets.run_lengths import absolute_runs, filled_box

VOTES = pd.DataFrame(
    {"R1": [1, 1, 0, np.nan], "R2": [0, 1, 0, np.nan], "R3": [np.nan, 0, 0, np.nan]}, index=list("abcd")
)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [("any", [1, 1, 0, np.nan]), ("majority", [0, 1, 0, np.nan]), ("R3", [np.nan, 0, 0, np.nan])],
)
def test_votes(rule, expected):
    """Of two readers one is not more than half."""
    np.testing.assert_array_equal(vote(VOTES, rule), expected)


def boxes(*rows):
    return pd.DataFrame(rows, columns=["image", "label", "reader", "x0", "y0", "x1", "y1"])


THREE = [("i", "heart", "R1", 0, 0, 10, 10), ("i", "heart", "R2", 1, 0, 11, 10), ("i", "heart", "R3", -1, 0, 9, 10)]


@pytest.mark.parametrize(
    ("rows", "least", "expected"),
    [
        (THREE, 1, [[0, 0, 10, 10]]),  # one heart, the mean of three
        (THREE, 2, [[0, 0, 10, 10]]),
        ([*THREE, ("i", "heart", "R1", 50, 50, 60, 60)], 2, [[0, 0, 10, 10]]),  # one reader's second object
        ([*THREE, ("i", "heart", "R1", 50, 50, 60, 60)], 1, [[0, 0, 10, 10], [50, 50, 60, 60]]),
        ([("i", "n", "R1", 0, 0, 10, 10), ("i", "n", "R1", 1, 0, 11, 10)], 1, [[0, 0, 10, 10], [1, 0, 11, 10]]),
        ([("i", "a", "R1", 0, 0, 10, 10), ("i", "b", "R2", 0, 0, 10, 10)], 2, []),  # two findings
        ([("i", "a", "R1", 0, 0, 10, 10), ("j", "a", "R2", 0, 0, 10, 10)], 2, []),  # two images
        ([("i", "a", "R1", 0, 0, 10, 10), ("i", "a", "R2", 5, 0, 15, 10)], 2, []),  # a third in common
    ],
)
def test_an_object_that_several_drew_is_one(rows, least, expected):
    assert merge_boxes(boxes(*rows), least)[["x0", "y0", "x1", "y1"]].to_numpy().tolist() == expected


def test_boxes_around_shapes():
    assert around_polygon([5, 9, 8, 3, 12, 7]) == [5, 3, 12, 9]
    assert around_polygon([10, 20, 30, 40]) == [10, 20, 30, 40]


def test_coco_as_pycocotools_reads_it(tmp_path):
    coco = pytest.importorskip("pycocotools.coco")
    content = {
        "images": [{"id": 3, "file_name": "tb/a.png", "height": 512, "width": 512}],
        "categories": [{"id": 1, "name": "ActiveTuberculosis"}],
        "annotations": [
            {"id": 7, "image_id": 3, "category_id": 1, "bbox": [10, 20, 30, 40], "area": 1200, "iscrowd": 0}
        ],
    }
    found = from_coco(content).to_dict("records")
    assert found == [{"image": "tb/a.png", "label": "ActiveTuberculosis", "x0": 10, "y0": 20, "x1": 40, "y1": 60}]
    theirs = coco.COCO()
    theirs.dataset = {
        **content,
        "annotations": [{**content["annotations"][0], "segmentation": [[10, 20, 40, 20, 40, 60, 10, 60]]}],
    }
    theirs.createIndex()
    rows, columns = np.nonzero(theirs.annToMask(theirs.loadAnns([7])[0]))
    assert (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1) == (10, 20, 40, 60)


@pytest.mark.parametrize(
    ("relative", "absolute"),
    [("-1", "-1"), (" -1", "-1"), ("0 2", "1 2"), ("2 3 4 1", "3 3 10 1"), ("5 1 0 2", "6 1 7 2")],
)
def test_relative_runs(relative, absolute):
    assert absolute_runs(relative) == absolute


@pytest.mark.parametrize(
    ("box", "runs"),
    [
        ([1, 2, 3, 4], "13 2 23 2"),
        ([-5, 0, 1, 3], "1 3"),
        ([8, 8, 99, 99], "89 2 99 2"),
        ([0, 20, 5, 30], "-1"),
        ([20, 0, 30, 5], "-1"),
        ([2, 3, 2, 6], "-1"),
    ],
)
def test_filled_boxes_of_ten_rows(box, runs):
    assert filled_box(box, 10, 10) == runs
