"""Boxes of findings to the square that the image lies in."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import torch
from monai.transforms import Transform

from ..errors import CxrError
from ..radiograph.letterbox import Letterbox
from .masks import original_shape


class BoxesToSquared(Transform):
    """Boxes `(n, 4)`, xyxy, from pixels of the original image to pixels of the square, cut off at the image's edge.

    Gives torch tensors, float32 `(n, 4)` and int64 `(n,)`; an image without boxes keeps `(0, 4)` and `(0,)`. It goes
    behind the loading of the image, which gives a raw item its `height` and `width`.

    Args:
        size: side S.
        box_key: key of the boxes.
        label_key: key of their labels.
        allow_missing_keys: pass on an item without boxes.
    """

    def __init__(
        self, size: int, box_key: str = "box", label_key: str = "label", allow_missing_keys: bool = False
    ) -> None:
        self.size = size
        self.box_key, self.label_key = box_key, label_key
        self.allow_missing_keys = allow_missing_keys

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """The item with its boxes moved.

        Raises:
            CxrError: the image's size is unknown, the labels do not match, or a box lies outside its image.
        """
        item = dict(data)
        if self.box_key not in item and self.allow_missing_keys:
            return item
        boxes = np.asarray(item[self.box_key], dtype=np.float64).reshape(-1, 4)
        labels = np.asarray(item[self.label_key], dtype=np.int64).reshape(-1)
        if len(boxes) != len(labels):
            raise CxrError(f"the item has {len(boxes)} boxes and {len(labels)} labels of boxes")
        shape = original_shape(item)
        if shape is None:
            raise CxrError("boxes need the image's height and width: load the image before, or add both to the item")
        height, width = shape
        inside = np.clip(boxes, 0, [width, height, width, height])
        if (outside := ~(inside[:, 2:] > inside[:, :2]).all(axis=1)).any():
            raise CxrError(
                f"{outside.sum()} of {len(boxes)} boxes lie outside the image of {height} x {width} pixels (rows x "
                "columns), or are empty; boxes are x0, y0, x1, y1 in pixels of the original image"
            )
        square = Letterbox(height, width, self.size).boxes_to_store(inside)
        item[self.box_key] = torch.from_numpy(square.astype(np.float32))
        item[self.label_key] = torch.from_numpy(labels)
        return item
