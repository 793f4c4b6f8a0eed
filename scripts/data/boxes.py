"""Boxes of a table's cells: JSON or lists, None where nobody looked, checked."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..errors import CxrError

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
        CxrError: a cell that is no list, or a malformed box; the row is named, what the cell holds is not.
    """
    found: list[Boxes | None] = [_list(cell, boxes.name, row, where) for row, cell in boxes.items()]
    cells = (
        [None] * len(boxes) if names is None else [_list(cell, names.name, row, where) for row, cell in names.items()]
    )
    labels = [
        None if some is None else (cell or ["finding"] * len(some)) for some, cell in zip(found, cells, strict=True)
    ]
    check_boxes(found, labels, where, list(boxes.index))
    found = [some and [list(map(float, box)) for box in some] for some in found]
    return found, [None if some is None else [str(name) for name in some] for some in labels]


def check_boxes(
    boxes: Sequence[Boxes | None], names: Sequence[list | None], where: str, rows: Sequence[object] | None = None
) -> None:
    """Raise a CxrError that names the row of a box without area, of other than four numbers, or without a label.

    Args:
        boxes, names: as `read_boxes` gives them.
        where: the table, for messages.
        rows: what messages call the rows; None = their place.
    """
    for place, (found, labels) in enumerate(zip(boxes, names, strict=True)):
        if found and (fault := _fault(found, labels or [])):
            row = place if rows is None else rows[place]
            raise CxrError(f"{where}: table row {row}: {fault}.")


def _fault(boxes: list, labels: list) -> str:
    """What is wrong with the boxes of one image, "" for nothing."""
    if not all(isinstance(box, list) and len(box) == 4 and all(map(_is_number, box)) for box in boxes):
        return "a box is a list of four numbers, x0, y0, x1, y1, in pixels"
    if not all(x0 < x1 and y0 < y1 for x0, y0, x1, y1 in boxes):
        return "a box needs x0 < x1 and y0 < y1"
    if len(boxes) != len(labels):
        return f"a box needs exactly one label; there are {len(boxes)} boxes and {len(labels)} labels"
    if not all(isinstance(label, (str, int, float, np.number)) for label in labels):
        return "the label of a box is a text"
    return ""


def _is_number(value: object) -> bool:
    # The bound stands for "no pixel's place": infinite as float32, or an integer that no float holds.
    return isinstance(value, (int, float, np.number)) and not isinstance(value, bool) and bool(-1e9 < value < 1e9)


def _list(cell: Any, column: object, row: object, where: str) -> list | None:
    if isinstance(cell, (list, tuple, np.ndarray)):
        return [list(value) if isinstance(value, (tuple, np.ndarray)) else value for value in cell]
    if not isinstance(cell, str) or not cell.strip():
        return None
    try:
        content = json.loads(cell)
    except (ValueError, RecursionError):  # the latter: lists nested without end
        content = None
    if not isinstance(content, list):
        raise CxrError(f"{where}: column {column!r}, row {row}: expected a JSON list.")
    return content
