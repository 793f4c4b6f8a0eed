"""JPEG XL: what a stream says of itself, and its samples."""

from __future__ import annotations

import struct
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from ..errors import UnreadableError
from .codestream import Stream

CODESTREAM = b"\xff\x0a"
CONTAINER = b"\0\0\0\x0cJXL \r\n\x87\n"
RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
"""Width to height, where a stream gives the height alone."""

SIZES = ((9, 1), (13, 1), (18, 1), (30, 1))
DEPTHS = ((0, 8), (0, 10), (0, 12), (6, 1))


def jpeg_xl_header(frame: bytes, samples: int) -> Stream:
    """Read the size header and bit depth of a bare or boxed codestream (ISO/IEC 18181-1 annex D, 18181-2).

    `samples` is taken as it is given, since the number of channels stands behind much else; `decode_jpeg_xl` checks it.

    Raises:
        UnreadableError: not such a stream, or with what no radiograph has (turned, animated, floating point).
    """
    bits = _Bits(_codestream(frame))
    rows, columns = _size(bits)
    if bits.read(1):  # all default
        return Stream(rows, columns, samples, precision=8, colour="RGB")
    if bits.read(1):  # extra fields
        orientation, intrinsic = bits.read(3), bits.read(1)
        if intrinsic:
            _size(bits)
        if orientation or bits.read(1) or bits.read(1):
            raise UnreadableError("its JPEG XL stream is turned, animated or has a preview")
    if bits.read(1):
        raise UnreadableError("its JPEG XL stream has floating point samples")
    return Stream(rows, columns, samples, precision=bits.choose(DEPTHS), colour="RGB")


def decode_jpeg_xl(frame: bytes, stream: Stream) -> NDArray[Any]:
    """Samples `(H, W)` or `(H, W, 3)`; the decoder refuses a stream that does not fit before it allocates."""
    shape = (stream.rows, stream.columns) + ((stream.samples,) if stream.samples > 1 else ())
    out = np.empty(shape, np.uint8 if stream.precision <= 8 else np.uint16)
    return imagecodecs.jpegxl_decode(frame, numthreads=1, out=out)


def _codestream(frame: bytes) -> bytes:
    """The beginning of the codestream."""
    if frame.startswith(CODESTREAM):
        return frame[2:]
    at = len(CONTAINER)
    while frame.startswith(CONTAINER) and at <= len(frame) - 8:
        length, kind = struct.unpack_from(">I4s", frame, at)
        # Part of a codestream has its number before it.
        start = at + {b"jxlc": 8, b"jxlp": 12}.get(kind, len(frame))
        if frame[start : start + 2] == CODESTREAM:
            return frame[start + 2 :]
        if length < 8:
            break
        at += length
    raise UnreadableError("the pixel stream has no JPEG XL header")


def _size(bits: _Bits) -> tuple[int, int]:
    """Rows and columns (SizeHeader)."""
    small = bits.read(1)
    rows = 8 * (bits.read(5) + 1) if small else bits.choose(SIZES)
    if ratio := bits.read(3):
        across, down = RATIOS[ratio - 1]
        return rows, rows * across // down
    return rows, 8 * (bits.read(5) + 1) if small else bits.choose(SIZES)


class _Bits:
    """Numbers of a few bits each, the lowest first."""

    def __init__(self, data: bytes) -> None:
        # The header fields that are read end within 32 bytes.
        self._value, self._left = int.from_bytes(data[:32], "little"), 8 * min(len(data), 32)

    def read(self, count: int) -> int:
        """The next `count` bits, u(n)."""
        if count > self._left:
            raise UnreadableError("the pixel stream is cut off in its JPEG XL header")
        number = self._value & ((1 << count) - 1)
        self._value, self._left = self._value >> count, self._left - count
        return number

    def choose(self, options: tuple[tuple[int, int], ...]) -> int:
        """The next number of one of four widths, U32: (bits, offset) of each."""
        width, offset = options[self.read(2)]
        return self.read(width) + offset
