"""Boxes of a table's cells: JSON or lists, None where nobody looked, checked."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from scripts.errors import CxrError

Boxes = list[list[float]]


def read_boxes(
    boxes: pd.Series, names: pd.Series | None, where: str
) -> tuple[list[Boxes | None], list[list[str] | None]]:
    """Boxes (xyxy, original pixels) and their names, row by row, from cells that hold JSON lists or lists.

    Args:
        boxes: an empty list means "nothing there", an empty cell "nobody looked" (None).
        names: None, or an empty cell beside boxes, calls every box "finding".
        where: the table, for messages.

    Raises:
        CxrError: a cell that is no list, or a malformed box.
    """
    found: list[Boxes | None] = [_list(cell, boxes.name, row, where) for row, cell in boxes.items()]
    cells = (
        [None] * len(boxes) if names is None else [_list(cell, names.name, row, where) for row, cell in names.items()]
    )
    labels = [
        None if some is None else [str(name) for name in cell or ["finding"] * len(some)]
        for some, cell in zip(found, cells, strict=True)
    ]
    check_boxes(found, labels, where)
    return found, labels


def check_boxes(boxes: Sequence[Boxes | None], names: Sequence[list[str] | None], where: str) -> None:
    """Raise a CxrError that names the row of a box without area, of other than four numbers, or without a label."""
    for row, (found, labels) in enumerate(zip(boxes, names, strict=True)):
        if not found:
            continue
        corners = np.asarray(found, dtype=float) if all(len(box) == 4 for box in found) else np.zeros((1, 4))
        whole = (corners[:, 2:] > corners[:, :2]).all() and np.isfinite(corners).all()
        if len(found) != len(labels or []) or not whole:
            raise CxrError(f"{where}: table row {row}: a box needs x0 < x1 and y0 < y1, four numbers, and one label.")


def _list(cell: Any, column: object, row: object, where: str) -> list | None:
    if isinstance(cell, (list, tuple, np.ndarray)):
        return [list(value) if isinstance(value, (tuple, np.ndarray)) else value for value in cell]
    if not isinstance(cell, str) or not cell.strip():
        return None
    try:
        content = json.loads(cell)
    except ValueError:
        content = None
    if not isinstance(content, list):
        raise CxrError(f"{where}: column {column!r}, row {row}: expected a JSON list.")
    return content
