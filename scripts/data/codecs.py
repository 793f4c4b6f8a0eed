"""Stored pixel values out of a DICOM data set: the fastest permissively licensed decoder of each transfer syntax."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from typing import Any

import cv2
import imagecodecs
import jpeg_ls
import numpy as np
from numpy.typing import NDArray
from openjpeg.utils import decode as decode_jpeg_2000
from PIL import Image
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.encaps import get_frame
from rle.utils import decode_pixel_data as decode_rle

from scripts.data.codestream import Stream, jpeg_2000_header, jpeg_header

MAX_PIXELS = 2**26
"""Largest image that is decoded, pixels: four times the largest detector; a header that claims more is a lie."""

JPEG = (uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit, uid.JPEGLossless, uid.JPEGLosslessSV1)
JPEG_LS = (uid.JPEGLSLossless, uid.JPEGLSNearLossless)
JPEG_2000 = (uid.JPEG2000Lossless, uid.JPEG2000, uid.HTJ2KLossless, uid.HTJ2KLosslessRPCL, uid.HTJ2K)
MAX_HALVINGS = 2
"""A JPEG 2000 decode at 1/4 holds 44 dB against the exact picture at 512 pixels (noisy detector); at 1/8, 40 dB."""


@dataclass(frozen=True)
class Layout:
    """How the pixels are stored, checked for what this project reads: one frame, grey or colour, 8 or 16 bits.

    Raises:
        ValueError: what is missing or not supported, without the file's name: the reader adds it.
    """

    rows: int
    columns: int
    samples: int
    allocated: int
    stored: int
    high_bit: int
    signed: bool
    photometric: str
    planar: bool
    big_endian: bool
    syntax: uid.UID

    @classmethod
    def of(cls, ds: Dataset) -> Layout:
        """Read and check the image pixel module."""
        if "PixelData" not in ds:
            kind = uid.UID(str(ds.get("SOPClassUID", ""))).name or "unknown kind"
            raise ValueError(f"it has no pixel data ({kind}): not an image, or cut off")
        if (frames := int(ds.get("NumberOfFrames") or 1)) != 1:
            raise ValueError(f"it has {frames} frames; a radiograph has one: export the frame that you want as a file")
        syntax = ds.file_meta.get("TransferSyntaxUID") if hasattr(ds, "file_meta") else None
        _, little_endian = ds.original_encoding
        allocated, samples = _number(ds, "BitsAllocated"), int(ds.get("SamplesPerPixel") or 1)
        stored = int(ds.get("BitsStored") or allocated)
        layout = cls(
            rows=_number(ds, "Rows"),
            columns=_number(ds, "Columns"),
            samples=samples,
            allocated=allocated,
            stored=stored,
            high_bit=int(ds.get("HighBit", stored - 1)),
            signed=int(ds.get("PixelRepresentation") or 0) == 1,
            photometric=str(ds.get("PhotometricInterpretation") or "MONOCHROME2").strip().upper(),
            planar=samples > 1 and int(ds.get("PlanarConfiguration") or 0) == 1,
            big_endian=little_endian is False,
            syntax=uid.UID(syntax or uid.ImplicitVRLittleEndian),
        )
        layout._check()
        return layout

    def _check(self) -> None:
        if not 0 < self.rows * self.columns <= MAX_PIXELS:
            raise ValueError(f"{self.rows} x {self.columns} pixels; at most {MAX_PIXELS} are read")
        if self.photometric.startswith("PALETTE"):
            raise ValueError("palette colour is not a radiograph's; convert it to MONOCHROME2 first")
        grey = self.photometric in ("MONOCHROME1", "MONOCHROME2") and self.samples == 1
        colour = self.photometric.startswith(("RGB", "YBR")) and self.samples == 3 and self.allocated == 8
        if not grey and not colour:
            raise ValueError(f"photometric interpretation {self.photometric} with {self.samples} samples of a pixel")
        if self.allocated not in (8, 16) or not 0 < self.stored <= self.allocated:
            raise ValueError(f"{self.stored} bits stored in {self.allocated}; 1 to 16 bits in 8 or 16 are read")
        if self.high_bit >= self.allocated:
            raise ValueError(f"its highest bit is {self.high_bit} of {self.allocated}")

    def agree(self, stream: Stream) -> None:
        """Raise ValueError when a compressed stream is not the picture of which the tags speak."""
        said, is_ = (self.rows, self.columns, self.samples), (stream.rows, stream.columns, stream.samples)
        if said != is_ or stream.precision > self.allocated:
            raise ValueError(
                f"its pixel stream holds {is_} (rows, columns, samples) of {stream.precision} bits, "
                f"its tags say {said} of {self.allocated}"
            )


def decode_pixels(ds: Dataset, longest: int | None = None) -> tuple[NDArray[Any], Layout]:
    """Stored values `(H, W)` of a data set, unsigned or signed integers; unused bits cleared, colour as luminance.

    Args:
        ds: data set with PixelData.
        longest: the longest side that the caller needs; JPEG 2000 may then come at 1/2, 1/4, ... of Rows x Columns, but
            above it. None = every pixel, exactly.

    Raises:
        ValueError: when the pixels are not what the tags say; decoders raise errors of their own kinds.
    """
    layout = Layout.of(ds)
    syntax = layout.syntax
    if not syntax.is_encapsulated:
        return _values(_raw(ds.PixelData, layout), layout), layout
    frame = get_frame(ds.PixelData, 0, number_of_frames=1)
    if syntax == uid.RLELossless:
        pixels = _rle(frame, layout)
    elif syntax in JPEG:
        layout.agree(jpeg_header(frame))
        # libjpeg-turbo 3: 8 and 12 bit lossy, 2 to 16 bit lossless, and the fastest of all at both.
        pixels = imagecodecs.jpeg8_decode(frame)
    elif syntax in JPEG_LS:
        layout.agree(jpeg_header(frame))
        pixels = _jpeg_ls(frame)
    elif syntax in JPEG_2000:
        stream = jpeg_2000_header(frame)
        layout.agree(stream)
        pixels = _jpeg_2000(frame, stream, layout, longest)
    else:
        raise ValueError(f"transfer syntax {syntax.name} is not read")
    return _values(pixels, layout), layout


def _number(ds: Dataset, keyword: str) -> int:
    value = ds.get(keyword)
    if value is None:
        raise ValueError(f"it has no {keyword}")
    return int(value)


def _raw(buffer: bytes, layout: Layout) -> NDArray[Any]:
    """Uncompressed pixels as they lie in `buffer`, no copy."""
    if layout.photometric.endswith(("422", "420")):
        raise ValueError(f"uncompressed {layout.photometric} is not read; convert it to RGB first")
    dtype = np.dtype(f"{'>' if layout.big_endian else '<'}u{layout.allocated // 8}")
    count = layout.rows * layout.columns * layout.samples
    # One byte more pads odd lengths.
    if not count * dtype.itemsize <= len(buffer) <= count * dtype.itemsize + 1:
        raise ValueError(f"{len(buffer)} bytes of pixels, {count * dtype.itemsize} by its tags: cut off, or wrong tags")
    pixels = np.frombuffer(buffer, dtype, count).astype(dtype.newbyteorder("="), copy=False)
    return _shape(pixels, layout, layout.planar)


def _rle(frame: bytes, layout: Layout) -> NDArray[Any]:
    size = {"rows": layout.rows, "columns": layout.columns, "bits_allocated": layout.allocated}
    try:
        buffer = decode_rle(frame, None, 2, **size)
    except BaseException as error:
        # A Rust panic is no Exception, and would end a worker that survives every other damaged file.
        if type(error).__name__ != "PanicException":
            raise
        raise ValueError(f"its RLE segments are damaged ({error})") from error
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


def _jpeg_2000(frame: bytes, stream: Stream, layout: Layout, longest: int | None) -> NDArray[Any]:
    halvings = 0
    # A stream and tags of unlike sign wrap around at zero, and a mean across the wrap is nonsense.
    if longest is not None and layout.samples == 1 and stream.signed == layout.signed:
        room = max(1.0, max(layout.rows, layout.columns) / longest)
        halvings = min(int(math.log2(room)), stream.levels, MAX_HALVINGS)
    if halvings:
        with Image.open(io.BytesIO(frame)) as image:
            # The standard rounds a halved side up; Pillow 12 and 13 round to nearest and then find the stream broken.
            image._size = tuple(-(-side // 2**halvings) * 2**halvings for side in image.size)
            image.reduce = halvings  # type: ignore[assignment, method-assign]
            pixels = np.asarray(image)
        # Pillow shifts all depths up to 8 or 16 bits, and signed values up to unsigned ones.
        pixels = _centred(pixels >> (8 * pixels.dtype.itemsize - stream.precision), stream, 2**halvings)
        if stream.signed:
            pixels = pixels.astype(np.int32) - 2 ** (stream.precision - 1)
    else:
        pixels = decode_jpeg_2000(frame)
    return pixels.astype(f"i{layout.allocated // 8}").view(f"u{layout.allocated // 8}") if stream.signed else pixels


def _centred(pixels: NDArray[Any], stream: Stream, step: int) -> NDArray[Any]:
    """Reduced wavelet samples moved to where the pixels of an evenly reduced picture are.

    Sample n lies on pixel `step` * n, not in the middle of the `step` pixels that it stands for, and the last may reach
    past the edge. Left so, the picture is off by up to (step - 1) / 2 pixels, which alone holds it below 45 dB.
    """
    rows, columns = pixels.shape
    x, y = stream.columns / columns, stream.rows / rows
    to_sample = np.array([[x, 0, (x - 1) / 2], [0, y, (y - 1) / 2]]) / step
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(pixels, to_sample, (columns, rows), flags=flags, borderMode=cv2.BORDER_REPLICATE)


def _shape(pixels: NDArray[Any], layout: Layout, planar: bool) -> NDArray[Any]:
    if layout.samples == 1:
        return pixels.reshape(layout.rows, layout.columns)
    if planar:
        return np.moveaxis(pixels.reshape(layout.samples, layout.rows, layout.columns), 0, -1)
    return pixels.reshape(layout.rows, layout.columns, layout.samples)


def _values(pixels: NDArray[Any], layout: Layout) -> NDArray[Any]:
    """Unsigned containers as decoded to the numbers that they hold."""
    if layout.samples > 1:
        # Decoders of JPEG and JPEG 2000 turn their own colour transforms back to RGB; others leave Y in front.
        if layout.photometric.startswith("YBR_FULL") and layout.syntax not in JPEG:
            return np.ascontiguousarray(pixels[..., 0])
        return cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2GRAY)
    if layout.allocated == 16 and pixels.dtype == np.uint8:
        pixels = pixels.astype(np.uint16)
    unused, top = layout.allocated - layout.stored, 2**layout.stored - 1
    dirty = bool(unused) and bool(pixels.max() > top)
    if dirty:
        # Files of before 2014 may keep the value in the upper bits (HighBit), and overlays in the others.
        pixels = pixels >> max(0, layout.high_bit - layout.stored + 1)
    if layout.signed:
        signed = (pixels << unused).view(f"i{pixels.dtype.itemsize}") >> unused
        return signed.astype(np.int16) if signed.dtype == np.int8 else signed  # OpenCV resizes no int8
    return pixels & pixels.dtype.type(top) if dirty else pixels
