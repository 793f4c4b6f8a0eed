"""Boxes in the conventions of archives, as lists of [x0, y0, x1, y1] in pixels of the original image."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

CORNERS = ["x0", "y0", "x1", "y1"]
BoxLists = tuple[list[list[list[float]] | None], list[list[str] | None]]


def from_xywh(x: pd.Series, y: pd.Series, width: pd.Series, height: pd.Series) -> pd.DataFrame:
    """Corners of boxes that a corner, a width and a height give (NIH, RSNA, COCO)."""
    return pd.DataFrame({"x0": x, "y0": y, "x1": x + width, "y1": y + height}, dtype=float)


def around_polygon(numbers: Sequence[float]) -> list[float]:
    """The box around `x, y, x, y, …`, of a rectangle's two corners or a polygon of any length."""
    points = np.asarray(numbers, float).reshape(-1, 2)
    return [*points.min(axis=0).tolist(), *points.max(axis=0).tolist()]


def from_coco(content: Mapping[str, Any]) -> pd.DataFrame:
    """Boxes of a COCO file: `image` (its file name), `label` (the category's name) and the corners; a row a box."""
    images = {image["id"]: image["file_name"] for image in content["images"]}
    categories = {category["id"]: category["name"] for category in content["categories"]}
    rows = [
        (images[a["image_id"]], categories[a["category_id"]], x, y, x + width, y + height)
        for a in content["annotations"]
        for x, y, width, height in [a["bbox"]]
    ]
    return pd.DataFrame(rows, columns=["image", "label", *CORNERS])


def box_lists(found: pd.DataFrame, images: Iterable[str], looked_at: Iterable[bool]) -> BoxLists:
    """`boxes` and `box_labels` of each image.

    Args:
        found: `image`, `label` and the corners, a row a box.
        images: of each row of the study table, as `found` calls them.
        looked_at: whether somebody looked for boxes there; an image with boxes has been looked at in any case.

    Returns:
        Lists, [] where nothing was found, None where nobody looked.
    """
    groups = {
        image: (group[CORNERS].to_numpy(float).tolist(), group["label"].tolist())
        for image, group in found.groupby("image", sort=False)
    }
    pairs = [groups.get(image, ([], []) if looked else (None, None)) for image, looked in zip(images, looked_at)]
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]
