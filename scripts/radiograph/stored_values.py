"""Decoded containers to the numbers that they hold: unused bits, sign, and colour as luminance."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .codestream import Stream
from .layout import Layout


def native_values(pixels: NDArray[Any], layout: Layout) -> NDArray[Any]:
    """Numbers of uncompressed pixels (RLE's are such), by the tags: only the stored bits are defined (PS3.5 8.1.1)."""
    top = 2**layout.stored - 1
    dirty = layout.stored < layout.allocated and bool(pixels.max() > top)
    if dirty:
        # Files of before 2014 may keep the value in the upper bits (HighBit), and overlays in the others.
        pixels = pixels >> max(0, layout.high_bit - layout.stored + 1)
    if layout.signed and layout.samples == 1:
        return _sign_extended(pixels, layout.stored)
    return _luminance(pixels & pixels.dtype.type(top) if dirty else pixels, layout.luminance_first)


def stream_values(pixels: NDArray[Any], layout: Layout, stream: Stream) -> tuple[NDArray[Any], Layout]:
    """Numbers of a compressed stream, which has no unused bits: by its own precision and sign; and their layout.

    JPEG and JPEG-LS know no sign; the tags' is taken, as two's complement of the stream's precision, or of the tags'
    where the numbers have no bit above. The latter is done for an unsigned JPEG 2000 stream in a signed file too, since
    writers that forget the stream's sign are common.
    """
    if layout.samples > 1:
        first = stream.colour == "YBR" or (stream.colour is None and layout.luminance_first)
        pixels = _luminance(pixels, first)
    elif layout.signed and not stream.signed:
        unsigned = int(pixels.max()).bit_length()
        pixels = _sign_extended(pixels, min(layout.stored if unsigned <= layout.stored else 16, stream.precision))
    signed = pixels.dtype.kind == "i"
    needed = max(int(pixels.max()), ~int(pixels.min()) if signed else 0).bit_length() + signed
    return pixels, layout.holding(needed, stream)


def _sign_extended(pixels: NDArray[Any], bits: int) -> NDArray[Any]:
    unused = 8 * pixels.dtype.itemsize - bits
    signed = (pixels << unused).view(f"i{pixels.dtype.itemsize}") >> unused
    return signed.astype(np.int16) if signed.dtype == np.int8 else signed  # OpenCV resizes no int8


def _luminance(pixels: NDArray[Any], first: bool) -> NDArray[Any]:
    """Grey `(H, W)` of grey, or of three samples: the first of them, or their weighted sum (RGB)."""
    if pixels.ndim == 2:
        return pixels
    if first:
        return np.ascontiguousarray(pixels[..., 0])
    return cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2GRAY)
