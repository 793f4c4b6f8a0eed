"""The standard image: one square picture in [0, 1], the same for every source, window, bit depth and road."""

from __future__ import annotations

from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from ..errors import CxrError
from .letterbox import Letterbox, resize, resize_valid

Quantize = Literal["uint8", "uint16"]
PERCENTILES = (0.5, 99.5)


def standardize(
    image: NDArray[Any],
    size: int,
    dtype: Quantize | None = "uint8",
    percentiles: tuple[float, float] = PERCENTILES,
    padding: float = float("nan"),
) -> NDArray[Any]:
    """Letterbox a radiograph and scale it by robust percentiles: what `prepare` stores and training reads.

    Args:
        image: `(H, W)`, or channel first `(1|2|3|4, H, W)` (grey, grey + alpha, RGB, RGBA) made grey by its luminance;
            where alpha is 0 there is no image.
        size: side S of the square.
        dtype: integer type of the result, spread over its whole range; None = float32 in [0, 1].
        percentiles: the two that become 0 and 1; counted over image pixels, not over the letterbox or padding.
        padding: value that marks pixels without image (the reader's `meta["padding"]`); they, like NaN, become 0.

    Returns:
        `(S, S)`. An image without contrast is 0 everywhere.
    """
    grey = luminance(image)
    valid = np.isfinite(grey) & (grey != np.float32(padding))
    if image.ndim == 3 and len(image) in (2, 4):
        valid &= np.asarray(image[-1]) > 0
    square, inside = _letterbox(grey, valid, size)
    low, high = _range(square[inside], percentiles)
    # A resized constant differs from itself by rounding, about 1e-7 of its value; that is no picture.
    if high - low > 1e-5 * max(abs(low), abs(high)):
        square = np.clip((square - low) / (high - low), 0, 1)
        square[~inside] = 0
    else:
        square = np.zeros_like(square)
    if dtype is None:
        return square
    return np.rint(square * np.float32(np.iinfo(dtype).max)).astype(dtype)


def luminance(image: NDArray[Any]) -> NDArray[np.float32]:
    """Grey `(H, W)` float32 of an image `(H, W)` or channel first `(1|2|3|4, H, W)`; an alpha channel is dropped."""
    image = np.asarray(image, dtype=np.float32)
    if image.ndim == 3 and image.shape[0] in (1, 2):
        image = image[0]
    elif image.ndim == 3 and image.shape[0] in (3, 4):
        image = cv2.cvtColor(np.ascontiguousarray(np.moveaxis(image[:3], 0, -1)), cv2.COLOR_RGB2GRAY)
    if image.ndim != 2 or 0 in image.shape:
        raise CxrError(f"expected one radiograph as (H, W) or (1|3, H, W), got an array of {image.shape}")
    return np.ascontiguousarray(image)


def _letterbox(
    grey: NDArray[np.float32], valid: NDArray[np.bool_], size: int
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """The square, and which of its pixels show the image: neither letterbox nor padding."""
    box = Letterbox(grey.shape[0], grey.shape[1], size)
    x0, y0, x1, y1 = box.content
    square, inside = np.zeros((size, size), np.float32), np.zeros((size, size), np.bool_)
    if valid.all():
        square[y0:y1, x0:x1], inside[y0:y1, x0:x1] = resize(grey, y1 - y0, x1 - x0), True
    else:
        square[y0:y1, x0:x1], inside[y0:y1, x0:x1] = resize_valid(grey, valid, y1 - y0, x1 - x0)
    return square, inside


def _range(content: NDArray[np.float32], percentiles: tuple[float, float]) -> tuple[np.float32, np.float32]:
    """The grey levels that become 0 and 1; of a picture that is nearly all one level, its darkest and brightest."""
    if not content.size:
        return np.float32(0), np.float32(0)
    low, high = np.percentile(content, percentiles).astype(np.float32)
    return (low, high) if low < high else (content.min(), content.max())
