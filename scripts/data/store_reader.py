"""Stored images inside stock LoadImaged: `"<OUT>/images.npy::<row>"`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from monai.config import PathLike
from monai.data import ImageReader
from monai.utils import ensure_tuple
from numpy.typing import NDArray

from ..errors import CxrError
from .image_store import ImageStore

SEPARATOR = ".npy::"


class StoreReader(ImageReader):
    """Read one row of an image store; put it last in LoadImaged's list of readers, which is asked from its end.

    A reference is the path of the store's `images.npy`, `::`, and the row. What is wrong with a store is said by
    `get_data`, because LoadImaged takes an error in `read` for "not my format" and tries its other readers.
    """

    def verify_suffix(self, filename: Sequence[PathLike] | PathLike) -> bool:
        names = ensure_tuple(filename)
        return len(names) == 1 and SEPARATOR in str(names[0])

    def read(self, data: Sequence[PathLike] | PathLike, **kwargs: Any) -> str:
        """The reference itself; anything else is refused with ValueError, for the next reader."""
        if not self.verify_suffix(data):
            raise ValueError(f"not a reference to a stored image: {data}")
        return str(ensure_tuple(data)[0])

    def get_data(self, img: str) -> tuple[NDArray[Any], dict[str, Any]]:
        """The stored pixels `(S, S)`, uint8 or uint16 as stored, and a meta dict that says so.

        Raises:
            CxrError: no such store or row.
        """
        path, row = img.rsplit("::", 1)
        store = _open(path)
        if not (row.isascii() and row.isdecimal() and len(row) < 19 and int(row) < len(store)):
            rows = f"rows 0 to {len(store) - 1}"
            raise CxrError(f"{path} has {rows}, not {row[:19]!r}; was it prepared anew after the table?")
        pixels = store[int(row)]
        meta = {
            "standardized": True,
            "maximum": float(np.iinfo(pixels.dtype).max),
            "spatial_shape": np.array(pixels.shape),
            "original_channel_dim": float("nan"),
        }
        return pixels, meta


def _open(path: str) -> ImageStore:
    """The store, opened once a process for as long as the file is the same one."""
    try:
        stat = os.stat(path)  # noqa: PTH116 - a Path object costs as much as the read
    except OSError:
        return ImageStore(path)  # says what is missing, and the cure
    return _open_version(path, stat.st_ino, stat.st_mtime_ns)


@lru_cache(maxsize=8)
def _open_version(path: str, inode: int, changed: int) -> ImageStore:
    return ImageStore(Path(path))
