"""Boxes to the square: by hand, by drawing, and the ones that cannot be right."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from scripts.data.box_transforms import BoxesToSquared
from scripts.errors import CxrError
from scripts.radiograph.letterbox import Letterbox

Item = dict[Hashable, Any]


def test_boxes_by_hand() -> None:
    """100 rows x 50 columns on 20 pixels: a fifth, and 5 columns of letterbox on either side."""
    item: Item = {
        "box": [[10, 20, 30, 60], [-5, 90, 50, 120]],
        "label": [1, 0],
        "height": 100,
        "width": 50,
        "view": "PA",
    }
    found = BoxesToSquared(20)(item)
    assert found["box"].tolist() == [[7, 4, 11, 12], [5, 18, 15, 20]]
    assert found["label"].tolist() == [1, 0]
    assert (found["box"].dtype, found["label"].dtype) == (torch.float32, torch.int64)
    assert found["view"] == "PA"


@pytest.mark.parametrize("empty", [[], np.zeros((0, 4), np.float32)])
def test_an_image_without_boxes_keeps_the_shapes(empty: list | np.ndarray) -> None:
    found = BoxesToSquared(20)({"box": empty, "label": [], "height": 100, "width": 50})
    assert (found["box"].shape, found["label"].shape) == ((0, 4), (0,))
    assert (found["box"].dtype, found["label"].dtype) == (torch.float32, torch.int64)


def test_other_keys_and_items_without_boxes() -> None:
    found = BoxesToSquared(10, "b", "names")({"b": [[0, 0, 10, 20]], "names": [3], "height": 20, "width": 20})
    assert found["b"].tolist() == [[0, 0, 5, 10]]
    assert BoxesToSquared(10, allow_missing_keys=True)({"image": 1}) == {"image": 1}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"box": [[60, 10, 80, 20]]}, "1 of 1 boxes lie outside the image of 100 x 50 pixels"),
        ({"box": [[10, 10, 10, 20]]}, "or are empty"),
        ({"box": [[10, float("nan"), 20, 20]]}, "1 of 1 boxes lie outside"),
        ({"label": []}, "1 boxes and 0 labels"),
        ({"height": 0}, "need the image's height and width"),
    ],
)
def test_boxes_that_cannot_be_right_are_refused(change: dict, message: str) -> None:
    item: Item = {"box": [[10, 20, 30, 60]], "label": [0], "height": 100, "width": 50} | change
    with pytest.raises(CxrError, match=message):
        BoxesToSquared(20)(item)


def test_real_boxes_lie_in_their_images(shared_data: Path) -> None:
    """All 498 + 110 + 44 boxes: inside the letterbox's content, with the shape that they have in the file."""
    count = 0
    for folder, name in (
        ("covid_cxr_notes", "boxes_lungs"),
        ("covid_cxr_notes", "boxes_findings"),
        ("nih_chestxray14", "boxes"),
    ):
        sizes = pd.read_csv(shared_data / folder / "data.csv").set_index("image")[["height", "width"]]
        for image, boxes in pd.read_csv(shared_data / folder / f"{name}.csv").groupby("image"):
            height, width = map(int, sizes.loc[image])
            corners = boxes[["x0", "y0", "x1", "y1"]].to_numpy()
            item: Item = {"box": corners, "label": np.zeros(len(boxes)), "height": height, "width": width}
            found = BoxesToSquared(224)(item)["box"].numpy()
            x0, y0, x1, y1 = Letterbox(height, width, 224).content
            assert (found >= [x0, y0, x0, y0]).all()
            assert (found <= [x1, y1, x1, y1]).all()
            sides = np.clip(corners, 0, [width, height] * 2)
            expected = (sides[:, 2:] - sides[:, :2]) * 224 / max(height, width)
            np.testing.assert_allclose(found[:, 2:] - found[:, :2], expected, atol=0.6)
            count += len(boxes)
    assert count == 498 + 110 + 44
