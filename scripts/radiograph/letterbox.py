"""Where a radiograph lies in its square: the letterbox, and the resizing that every road to the pixels shares."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

Interpolation = Literal["area", "nearest"]


@dataclass(frozen=True)
class Letterbox:
    """An image of `height` x `width` pixels, scaled so that its longest side is `size`, centred on a black square.

    It follows from the three numbers alone, so the study table keeps `height` and `width` and nothing else.
    """

    height: int
    width: int
    size: int

    @property
    def scale(self) -> float:
        """Pixels of the square per pixel of the image, before rounding to whole pixels."""
        return self.size / max(self.height, self.width)

    @cached_property
    def content(self) -> tuple[int, int, int, int]:
        """`(x0, y0, x1, y1)` of the image inside the square, whole pixels."""
        rows = max(1, round(self.height * self.scale))
        columns = max(1, round(self.width * self.scale))
        x0, y0 = (self.size - columns) // 2, (self.size - rows) // 2
        return x0, y0, x0 + columns, y0 + rows

    def boxes_to_store(self, boxes: ArrayLike) -> NDArray[np.float64]:
        """Boxes `[n, 4]`, xyxy, from image pixels to pixels of the square."""
        factor, offset = self._mapping()
        return np.asarray(boxes, dtype=np.float64).reshape(-1, 4) * factor + offset

    def boxes_to_image(self, boxes: ArrayLike) -> NDArray[np.float64]:
        """Boxes `[n, 4]`, xyxy, from pixels of the square to image pixels."""
        factor, offset = self._mapping()
        return (np.asarray(boxes, dtype=np.float64).reshape(-1, 4) - offset) / factor

    def apply(self, image: NDArray[Any], interpolation: Interpolation = "area") -> NDArray[Any]:
        """Image `(height, width)` to `(size, size)`, same type, 0 outside the content; masks want `nearest`."""
        if image.shape != (self.height, self.width):
            raise ValueError(f"the letterbox is for {self.height}x{self.width} pixels, got an array of {image.shape}")
        x0, y0, x1, y1 = self.content
        square = np.zeros((self.size, self.size), dtype=image.dtype)
        square[y0:y1, x0:x1] = resize(image, y1 - y0, x1 - x0, interpolation)
        return square

    def mask_to_image(self, mask: NDArray[Any]) -> NDArray[Any]:
        """Prediction `(size, size)` to the image's `(height, width)`, same type: the way back from `apply`.

        A truth value becomes the nearer side of its neighbourhood's mean, which leaves no steps of the square's pixels;
        a probability is interpolated, and a label (integers) taken from the nearest pixel.
        """
        if mask.shape != (self.size, self.size):
            raise ValueError(f"the letterbox is a square of {self.size} pixels, got an array of {mask.shape}")
        x0, y0, x1, y1 = self.content
        content = np.ascontiguousarray(mask[y0:y1, x0:x1])
        if mask.dtype == np.bool_:
            return resize(content.astype(np.float32), self.height, self.width) >= 0.5
        whole = np.issubdtype(mask.dtype, np.integer)
        return resize(content, self.height, self.width, "nearest" if whole else "area")

    def _mapping(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        # Whole-pixel content makes the two axes' factors differ a little from `scale`; boxes must follow the pixels.
        x0, y0, x1, y1 = self.content
        factor = np.array([(x1 - x0) / self.width, (y1 - y0) / self.height])
        return np.tile(factor, 2), np.array([x0, y0, x0, y0], dtype=np.float64)


def resize(image: NDArray[Any], rows: int, columns: int, interpolation: Interpolation = "area") -> NDArray[Any]:
    """A 2-D image at another size, same type: the mean over each pixel's area when it shrinks, linear when it grows."""
    if image.shape == (rows, columns):
        return image
    if image.dtype == np.bool_:
        return resize(image.astype(np.uint8), rows, columns, "nearest").astype(np.bool_)
    if interpolation == "nearest":
        return cv2.resize(image, (columns, rows), interpolation=cv2.INTER_NEAREST_EXACT)
    if rows > image.shape[0] or columns > image.shape[1]:
        return cv2.resize(image, (columns, rows), interpolation=cv2.INTER_LINEAR)
    # Halving is exact and SIMD in OpenCV (10 x the speed of a fractional factor), and the mean of means is the mean.
    while all(now % 2 == 0 and now >= 4 * then for now, then in zip(image.shape, (rows, columns))):
        image = cv2.resize(image, (image.shape[1] // 2, image.shape[0] // 2), interpolation=cv2.INTER_AREA)
    return cv2.resize(image, (columns, rows), interpolation=cv2.INTER_AREA)


def resize_valid(
    image: NDArray[Any], valid: NDArray[np.bool_], rows: int, columns: int
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Resize where only the `valid` pixels count; a new pixel is valid when at least half of its area is.

    Args:
        image: `(H, W)`, any number type.
        valid: `(H, W)`.
        rows: the new height.
        columns: the new width.

    Returns:
        the resized image, 0 where not valid, and the resized `valid`.
    """
    kept = np.where(valid, image, 0).astype(np.float32)
    share = resize(valid.astype(np.float32), rows, columns)
    now_valid = share >= 0.5
    mean = np.divide(resize(kept, rows, columns), share, out=np.zeros_like(share), where=now_valid)
    if np.issubdtype(image.dtype, np.integer):
        mean = np.rint(mean)
    return mean.astype(image.dtype), now_valid
