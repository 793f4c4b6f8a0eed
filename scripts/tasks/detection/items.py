"""Items of detection: boxes in the original image's pixels; an image known to hold none is a negative."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from ...data.boxes import read_boxes
from ...data.sources import load_table
from ..items import Items, task_items


def detection_items(
    source: str | Path,
    names: Sequence[str],
    split: str | Sequence[str] | None = None,
    view: str | Sequence[str] | None = None,
    fraction: int = 100,
    fold: int | None = None,
) -> Items:
    """Items with `box`, float32 `(n, 4)`, xyxy in original pixels, and `label`, int64 `(n,)`, the place in `names`; an
    image that is known to hold no box of these names is a negative, n = 0. The columns are `boxes` and `box_labels`.

    Args:
        source, split, view, fraction, fold: see `scripts.tasks.items.task_items`, also for the rest of an item.
        names: of the boxes, in the order of the network's classes; see `box_names`.

    Raises:
        CxrError: see `scripts.tasks.items.task_items`.
    """

    def target(boxes: list | None, labels: list[str] | None, place: dict[str | None, int]) -> dict[str, np.ndarray]:
        if boxes is None:
            return {}
        kept = [(box, place[name]) for box, name in zip(boxes, labels or (), strict=True) if name in place]
        return {
            "box": np.array([box for box, _ in kept], dtype=np.float32).reshape(-1, 4),
            "label": np.array([index for _, index in kept], dtype=np.int64),
        }

    def targets(table: pd.DataFrame, where: str, own: list[str | None]) -> Items:
        place = {name: index for index, name in enumerate(own)}
        return [target(boxes, labels, place) for boxes, labels in zip(*_boxes(table, where), strict=True)]

    return task_items(source, names, "boxes", _names, targets, split, view, fraction, fold)


def box_names(source: str | Path) -> list[str]:
    """Names that a source has boxes of."""
    return _names(*load_table(source))


def _names(table: pd.DataFrame, where: str) -> list[str]:
    if "boxes" not in table:
        return []
    return sorted({name for names in _boxes(table, where)[1] for name in names or ()})


def _boxes(table: pd.DataFrame, where: str) -> tuple[list, list]:
    return read_boxes(table["boxes"], table.get("box_labels"), where)
