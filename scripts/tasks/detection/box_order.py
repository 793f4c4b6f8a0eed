"""The one border between our boxes, `(x0, y0, x1, y1)`, and MONAI's, `(y0, x0, y1, x1)`.

MONAI's box code counts a box's columns like the axes of the image tensor, and ours are `(C, rows, columns)`: what it
calls x is the row. Everything of ours outside `scripts.tasks` is xyxy in pixels, columns first.
"""

from __future__ import annotations

from torch import Tensor

_SWAP = (1, 0, 3, 2)


def to_monai(boxes: Tensor) -> Tensor:
    """`(n, 4)` xyxy to `(n, 4)` row, column, row, column, float32: half precision moves a corner by whole pixels."""
    return boxes[:, _SWAP].float()


def from_monai(boxes: Tensor) -> Tensor:
    """`(n, 4)` row, column, row, column to `(n, 4)` xyxy."""
    return boxes[:, _SWAP]
