"""Stored pixel values out of a DICOM data set: the fastest permissively licensed decoder of each transfer syntax."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import imagecodecs
import jpeg_ls
import numpy as np
from numpy.typing import NDArray
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.encaps import get_frame
from rle.utils import decode_pixel_data as decode_rle

from ..errors import UnreadableError, reading
from .codestream import Stream, jpeg_2000_header, jpeg_header
from .dicom_file import inflate
from .jpeg_2000 import decode_jpeg_2000
from .jpeg_xl import decode_jpeg_xl, jpeg_xl_header
from .layout import Layout
from .stored_values import native_values, stream_values
from .vocabulary import syntax_name

NATIVE = (
    *(uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian, uid.ExplicitVRBigEndian),
    uid.DeflatedExplicitVRLittleEndian,
)
JPEG = (uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit, uid.JPEGLossless, uid.JPEGLosslessSV1)
JPEG_LS = (uid.JPEGLSLossless, uid.JPEGLSNearLossless)
JPEG_2000 = (uid.JPEG2000Lossless, uid.JPEG2000, uid.HTJ2KLossless, uid.HTJ2KLosslessRPCL, uid.HTJ2K)
# PS3.5 of 2024 and later; pydicom 3.0 does not know them.
JPEG_XL = tuple(f"1.2.840.10008.1.2.4.{number}" for number in (110, 111, 112))
DEFLATED_FRAME = "1.2.840.10008.1.2.8.1"

TRAILING = "more bytes of pixels than its tags need"


def decode_pixels(ds: Dataset, longest: int | None = None) -> tuple[NDArray[Any], Layout]:
    """Stored values `(H, W)` of a data set, unsigned or signed integers, colour as luminance; and their layout.

    Args:
        ds: data set with PixelData.
        longest: the longest side that the caller needs; JPEG 2000 may then come at 1/2, 1/4, ... of Rows x Columns, but
            above it. None = every pixel, exactly.

    Raises:
        UnreadableError: when the pixels are not what the tags say, or a decoder fails on them.
    """
    with reading("the description of its pixels"):
        layout = Layout.of(ds)
    with reading(f"its pixel data ({syntax_name(layout.syntax)})"):
        if layout.syntax in NATIVE:
            pixels, layout = _raw(ds.PixelData, layout)
            return native_values(pixels, layout), layout
        if layout.syntax not in (uid.RLELossless, DEFLATED_FRAME, *JPEG, *JPEG_LS, *JPEG_2000, *JPEG_XL):
            raise UnreadableError(f"transfer syntax {syntax_name(layout.syntax)} is not read")
        frame = get_frame(ds.PixelData, 0, number_of_frames=1)
        if layout.syntax == uid.RLELossless:
            return native_values(_rle(frame, layout), layout), layout
        if layout.syntax == DEFLATED_FRAME:
            pixels, layout = _raw(inflate(frame, _size(layout) + 1), layout)
            return native_values(pixels, layout), layout
        pixels, stream = _stream(frame, layout, longest)
        if layout.allocated == 16 and pixels.dtype == np.uint8:
            pixels = pixels.astype(np.uint16)
        return stream_values(pixels, layout, stream)


def _stream(frame: bytes, layout: Layout, longest: int | None) -> tuple[NDArray[Any], Stream]:
    """Samples of a compressed stream, and what it says of itself."""
    if layout.syntax in JPEG_2000:
        stream = jpeg_2000_header(frame)
        layout.agree(stream)
        return decode_jpeg_2000(frame, stream, layout, longest), stream
    if layout.syntax in JPEG_XL:
        stream = jpeg_xl_header(frame, layout.samples)
        layout.agree(stream)
        return decode_jpeg_xl(frame, stream), stream
    stream = jpeg_header(frame)
    layout.agree(stream)
    if layout.syntax in JPEG_LS:
        return _jpeg_ls(frame), stream
    # libjpeg-turbo 3: 8 and 12 bit lossy, 2 to 16 bit lossless, and the fastest of all at both. From RGB to RGB is no
    # transform at all: which colours they are, the stream's markers or the tags say, and libjpeg's guess is neither.
    space = "RGB" if layout.samples == 3 else None
    return imagecodecs.jpeg8_decode(frame, colorspace=space, outcolorspace=space), stream


def _size(layout: Layout) -> int:
    """Bytes of the uncompressed pixels."""
    return layout.rows * layout.columns * layout.samples * (layout.allocated // 8)


def _raw(buffer: bytes, layout: Layout) -> tuple[NDArray[Any], Layout]:
    """Uncompressed pixels as they lie in `buffer`, no copy where their bytes are in order."""
    if layout.photometric.endswith(("422", "420")):
        raise UnreadableError(f"uncompressed {layout.photometric} is not read; convert it to RGB first")
    size, data = _size(layout), np.frombuffer(buffer, np.uint8)
    # One byte more pads odd lengths. More of one value is padding as well; anything else is a piece of the picture,
    # whose rows or columns are then more than its tags say.
    if len(data) < size + (size % 2 if layout.swapped else 0) or (
        len(data) > size + 1 and (data[size:] != data[-1]).any()
    ):
        raise UnreadableError(f"{len(data)} bytes of pixels, {size} by its tags: cut off, or wrong tags")
    if len(data) > size + 1:
        layout = replace(layout, remarks=(*layout.remarks, TRAILING))
    if layout.swapped:
        data = data[: len(data) // 2 * 2].reshape(-1, 2)[:, ::-1].ravel()
    dtype = np.dtype(f"{'>' if layout.big_endian else '<'}u{layout.allocated // 8}")
    pixels = data[:size].view(dtype).astype(dtype.newbyteorder("="), copy=False)
    return _shape(pixels, layout, layout.planar), layout


def _rle(frame: bytes, layout: Layout) -> NDArray[Any]:
    size = {"rows": layout.rows, "columns": layout.columns, "bits_allocated": layout.allocated}
    try:
        buffer = decode_rle(frame, None, 2, **size)
    except BaseException as error:
        # A Rust panic is no Exception, and would end a worker that survives every other damaged file.
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise UnreadableError("its RLE segments are damaged, or of another size than its tags say") from None
    return _shape(np.frombuffer(buffer, f"<u{layout.allocated // 8}"), layout, planar=True)


def _jpeg_ls(frame: bytes) -> NDArray[Any]:
    buffer, info = jpeg_ls.decode_pixel_data(frame)
    pixels = np.frombuffer(buffer, "<u2" if info["bits_per_sample"] > 8 else "u1")
    shape = (info["height"], info["width"])
    if info["components"] == 1:
        return pixels.reshape(shape)
    if info["interleave_mode"] == 0:
        return np.moveaxis(pixels.reshape(info["components"], *shape), 0, -1)
    return pixels.reshape(*shape, info["components"])


def _shape(pixels: NDArray[Any], layout: Layout, planar: bool) -> NDArray[Any]:
    if layout.samples == 1:
        return pixels.reshape(layout.rows, layout.columns)
    if planar:
        return np.moveaxis(pixels.reshape(layout.samples, layout.rows, layout.columns), 0, -1)
    return pixels.reshape(layout.rows, layout.columns, layout.samples)
