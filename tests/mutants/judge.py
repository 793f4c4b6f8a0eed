"""What became of a mutant: refused, its picture, or another picture without a word."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from monai.data import PydicomReader
from numpy.typing import NDArray

from scripts.data.reader import CxrReader
from scripts.radiograph.standard_image import standardize

DETECTABLE = ("frames", "syntax", "pixel length")
"""Lies that the file itself gives away. So does a compressed stream of its precision: see `is_detectable`. Its sign is
none of them: writers that forget it in a JPEG 2000 stream are common, and pydicom takes the tags' as well."""
KNOWS_BITS = ("jpeg_baseline", "jpeg_lossless", "jpeg_ls", "jpeg2000_lossless", "jpeg2000", "htj2k")
SIZE = 64
SAME = 30.0
"""dB between pictures of [0, 1]: a flipped pixel is above it, another window or a shifted row below."""

Picture = NDArray[np.float32]


def is_detectable(name: str, kind: str) -> bool:
    """Whether a file gives this lie away: nothing but the tags knows the bits of pixels without a codestream."""
    return kind in DETECTABLE or (kind == "bits" and name in KNOWS_BITS)


def ours(path: Path) -> Picture:
    """The picture as training sees it."""
    reader = CxrReader()
    return picture(*reader.get_data(reader.read(path)))


def stock(path: Path) -> Picture:
    """The picture that MONAI's own reader gives."""
    reader = PydicomReader(swap_ij=False)
    return picture(*reader.get_data(reader.read(path)))


def picture(image: NDArray[Any], meta: dict[str, Any]) -> Picture:
    """The standard image, `(SIZE, SIZE)`."""
    pixels = standardize(np.asarray(image, np.float32).squeeze(), SIZE, None, padding=meta.get("padding", float("nan")))
    return np.asarray(pixels).squeeze()


def outcome(read: Callable[[Path], Picture], path: Path, truth: Picture) -> str:
    """ "refused", "right" or "wrong"; what is wrong here has been read without a word."""
    try:
        seen = read(path)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException:  # stock lets decoders' errors of every kind through, a Rust panic among them
        return "refused"
    if seen.shape != truth.shape or not np.isfinite(seen).all():
        return "wrong"
    return "right" if -10 * np.log10(np.mean((seen - truth) ** 2) + 1e-12) >= SAME else "wrong"
