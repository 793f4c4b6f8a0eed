"""Masks of findings: picture files and run-length strings to the square that the image lies in."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform
from numpy.typing import NDArray

from ..errors import CxrError
from ..radiograph.letterbox import Letterbox
from ..radiograph.picture import open_picture, turn_upright, viewed
from ..radiograph.standard_image import luminance
from .studies import EMPTY, UNION, is_path

UNKNOWN = -1.0
Shape = tuple[int, int]


class LoadMasksd(MapTransform):
    """References to K masks to a float32 tensor `(K, S, S)` of 0 and 1, in the image's letterbox; -1 where unknown.

    A pixel of the square belongs to a mask when at least half of its area does; of a mask that covers half of none, the
    pixel that it covers most. A reference is the path of a picture (0/255 or 0/1, upright as its image is, transparent
    = outside; see `turn_upright`), a run-length string (see `decode_rle`), `-1` for a mask that is known to be empty,
    several of these parted by `|` for their union, or an empty string for a mask that nobody drew (its channel is -1
    throughout). A plain string in place of the list is one mask, K = 1.

    Args:
        keys: keys of the references.
        size: side S.
        allow_missing_keys: see MapTransform.
    """

    def __init__(self, keys: KeysCollection, size: int, allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)
        self.size = size

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """The item with its masks loaded; `height` and `width` in it are the original image's.

        Raises:
            CxrError: a mask is missing, unreadable or of another size than the image; no file is named.
        """
        item = dict(data)
        shape = original_shape(item)
        for key in self.key_iterator(item):
            references: Sequence[Any] = [item[key]] if isinstance(item[key], (str, Path)) else item[key]
            masks = np.stack([self._one(str(reference), shape, place) for place, reference in enumerate(references)])
            item[key] = torch.from_numpy(masks)
        return item

    def _one(self, reference: str, shape: Shape | None, place: int) -> NDArray[np.float32]:
        if not reference.strip():
            return np.full((self.size, self.size), UNKNOWN, np.float32)
        try:
            mask = read_mask(reference, shape)
        except ValueError as error:
            raise CxrError(f"mask {place}: {error}") from error
        share = Letterbox(mask.shape[0], mask.shape[1], self.size).apply(mask.astype(np.float32))
        # A mask too small for any pixel keeps its largest one: an image with a finding must not count as one without.
        return (share >= min(0.5, share.max() or 0.5)).astype(np.float32)


def original_shape(item: Mapping[Hashable, Any]) -> Shape | None:
    """Rows and columns of an item's original image; None = unknown (absent or 0)."""
    height, width = int(item.get("height", 0)), int(item.get("width", 0))
    return (height, width) if height and width else None


def read_mask(reference: str, shape: Shape | None) -> NDArray[np.bool_]:
    """Mask `(H, W)` of the original image.

    Args:
        reference: see `LoadMasksd`; not empty.
        shape: rows and columns of the image; None takes a picture's own.

    Raises:
        ValueError: what is wrong, without the file's name.
    """
    parts = [part.strip() for part in reference.split(UNION)]
    masks = [_read_picture(part) if is_path(part) else None for part in parts]
    shape = shape or next((mask.shape for mask in masks if mask is not None), None)  # type: ignore[assignment]
    if shape is None:
        raise ValueError("a run-length string needs the image's height and width, which the item does not know")
    union = np.zeros(shape, np.bool_)
    for part, mask in zip(parts, masks, strict=True):
        mask = decode_rle(part, shape) if mask is None else mask
        if mask.shape != shape:
            raise ValueError(f"it has {_size(mask.shape)} pixels (rows x columns), its image {_size(shape)}")
        union |= mask
    return union


def decode_rle(rle: str, shape: Shape) -> NDArray[np.bool_]:
    """Mask `(H, W)` of a run-length string "start length start length ..."; "-1" is an empty one.

    Pixels are counted from 1, down the columns, from the left, and the runs follow one another: the form of Kaggle's
    competitions. SIIM-ACR's own, with starts that count from the end of the run before, is brought to it in
    docs/prepare.md; here it is refused, because read in Kaggle's form it would give a mask of somewhere else.

    Raises:
        ValueError: it is no such string, its runs overlap or go back, or they leave an image of this shape.
    """
    numbers = [] if rle.strip() == EMPTY else rle.split()
    if len(numbers) % 2 or not all(number.isascii() and number.isdecimal() for number in numbers):
        raise ValueError("a run-length string is pairs of start and length, or -1")
    pixels = shape[0] * shape[1]
    outside = f"its runs leave the {_size(shape)} pixels (rows x columns) of the image; starts count from 1"
    # Before int64 and before Python's own limit of digits: no pixel has a number of that length.
    if any(len(number.lstrip("0")) > 18 for number in numbers):
        raise ValueError(outside)
    starts, lengths = np.array(numbers, dtype=np.int64).reshape(-1, 2).T
    ends = starts + lengths
    if (starts[1:] < ends[:-1]).any() or (starts[1:] <= starts[:-1]).any():
        raise ValueError("its runs overlap or go back" + _relative(starts, lengths, pixels))
    if len(starts) and (starts[0] < 1 or ends[-1] - 1 > pixels):
        raise ValueError(outside + _relative(starts, lengths, pixels))
    # +1 where a run begins and -1 behind its end: the running sum counts the runs over a pixel.
    steps = np.zeros(pixels + 1, np.int64)
    np.add.at(steps, starts - 1, 1)
    np.add.at(steps, ends - 1, -1)
    return np.ascontiguousarray((np.cumsum(steps[:-1]) > 0).reshape(shape, order="F"))


def _relative(starts: NDArray[np.int64], lengths: NDArray[np.int64], pixels: int) -> str:
    """A hint, where the numbers fit the image as starts that count from the end of the run before."""
    if sum(map(int, starts)) + sum(map(int, lengths)) > pixels:
        return ""
    return "; they fit as relative run lengths (SIIM-ACR's), which docs/prepare.md brings to starts from pixel 1"


def _read_picture(name: str) -> NDArray[np.bool_]:
    try:
        content = Path(name).read_bytes()
    except OSError as error:
        raise ValueError(f"its file cannot be read ({error.strerror})") from error
    try:
        picture, opaque = viewed(turn_upright(open_picture(content))[0])
    except Exception as error:  # Pillow raises errors of every kind on a damaged file
        raise ValueError("its file is no whole picture (PNG, TIFF, BMP, JPEG)") from error
    if picture.ndim == 3:
        picture = np.rint(luminance(np.moveaxis(picture, -1, 0)))
    if opaque is not None:
        picture = np.where(opaque, picture, 0)
    top, brightest = 65535 if picture.dtype == np.uint16 else 255, int(picture.max())
    if 1 < brightest <= top // 2:
        raise ValueError(
            f"its brightest pixel is {brightest} of {top}; a mask is 0/{top} or 0/1 (part a label map by finding)"
        )
    return np.asarray(picture > (0 if brightest == 1 else top // 2))


def _size(shape: Shape) -> str:
    return f"{shape[0]} x {shape[1]}"
