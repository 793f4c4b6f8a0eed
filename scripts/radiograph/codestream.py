"""What a JPEG, JPEG-LS or JPEG 2000 stream says of itself, read before a decoder allocates what it claims."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Literal

from ..errors import UnreadableError

NO_FRAME_HEADER = (0xC4, 0xC8, 0xCC)
"""JPEG markers between SOF0 and SOF15 that are tables."""

JPEG_LS_FRAME_HEADER = 0xF7
APP0, APP14 = 0xE0, 0xEE
RGB_IDS = (b"RGB", b"rgb")
END = b"\xff\xd9"
"""End of image (JPEG, JPEG-LS) and end of codestream (JPEG 2000)."""


Colour = Literal["RGB", "YBR"]


@dataclass(frozen=True)
class Stream:
    """Size and number format of the pixels in a compressed stream.

    `levels`: how often JPEG 2000 can halve it. `colour`: of three samples, where the stream says it.
    """

    rows: int
    columns: int
    samples: int
    precision: int
    signed: bool = False
    levels: int = 0
    colour: Colour | None = None


def jpeg_header(frame: bytes) -> Stream:
    """Read the frame header (SOFn) of a JPEG or JPEG-LS stream (ITU-T T.81 B.2.2, T.87 C.2.2), and its colour marker.

    Three samples are RGB by their ids, YCbCr by a JFIF marker, either by Adobe's (T.872 6.5.3); without any, the stream
    does not say.

    Raises:
        UnreadableError: when it is not such a stream, or cut off (libjpeg would fill up with grey, without a word).
    """
    _check_end(frame)
    at = frame.find(b"\xff\xd8") + 2
    colour: Colour | None = None
    while 2 <= at <= len(frame) - 10:
        marker, length = struct.unpack_from(">xBH", frame, at)
        if (0xC0 <= marker <= 0xCF and marker not in NO_FRAME_HEADER) or marker == JPEG_LS_FRAME_HEADER:
            precision, rows, columns, samples = struct.unpack_from(">BHHB", frame, at + 4)
            if frame[at + 10 : at + 19 : 3] in RGB_IDS:
                colour = "RGB"
            return Stream(rows, columns, samples, precision, colour=colour)
        content = frame[at + 4 : at + 2 + length]
        if marker == APP0 and content.startswith(b"JFIF"):
            colour = "YBR"
        elif marker == APP14 and content.startswith(b"Adobe") and len(content) > 11 and colour is None:
            colour = "YBR" if content[11] else "RGB"
        # A run of 0xFF may fill the space before a marker.
        at += 1 if marker == 0xFF else 2 + length
    raise UnreadableError("the pixel stream has no JPEG frame header")


def jpeg_2000_header(frame: bytes) -> Stream:
    """Read the SIZ and COD segments of a JPEG 2000 codestream, bare or in a JP2 box (ISO/IEC 15444-1 A.5, A.6).

    Raises:
        UnreadableError: when it is not such a stream, or cut off.
    """
    _check_end(frame)
    start = frame.find(b"\xff\x4f\xff\x51")
    if start < 0:
        raise UnreadableError("the pixel stream has no JPEG 2000 header")
    length, _, right, bottom, left, top = struct.unpack_from(">HHIIII", frame, start + 4)
    samples, depth = struct.unpack_from(">HB", frame, start + 40)
    at, levels = start + 4 + length, 0
    colour: Colour | None = None
    while at <= len(frame) - 10:
        marker, length = struct.unpack_from(">HH", frame, at)
        if marker == 0xFF52:
            levels = frame[at + 9]
            # The stream's own colour transform, which decoders turn back.
            colour = "RGB" if frame[at + 8] else None
            break
        at += 2 + length
    return Stream(bottom - top, right - left, samples, (depth & 0x7F) + 1, bool(depth & 0x80), levels, colour)


def _check_end(frame: bytes) -> None:
    # A few bytes of padding may follow the end.
    if END not in frame[-16:]:
        raise UnreadableError("the pixel stream is cut off: it has no end marker")
