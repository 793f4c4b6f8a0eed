"""JPEG XL and deflated frames, which pydicom 3.0 does not know, against the pixels that were encoded."""

from __future__ import annotations

import zlib
from typing import Any

import imagecodecs
import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID

from scripts.errors import UnreadableError
from scripts.radiograph.codecs import DEFLATED_FRAME, JPEG_XL, decode_pixels
from scripts.radiograph.jpeg_xl import jpeg_xl_header


def picture(bits: int, shape: tuple[int, ...]) -> np.ndarray:
    values = np.random.default_rng(bits).integers(0, 2**bits, shape)
    return values.astype(np.uint8 if bits <= 8 else np.uint16)


def smooth(shape: tuple[int, int]) -> np.ndarray:
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    return np.stack([rows + columns, 255 - rows, 2 * columns], -1).clip(0, 255).astype(np.uint8)


def data_set(frame: bytes, syntax: str, image: np.ndarray, **tags: Any) -> Dataset:
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = UID(syntax)
    ds.set_original_encoding(False, True)
    ds.Rows, ds.Columns, ds.SamplesPerPixel = *image.shape[:2], 1 if image.ndim == 2 else 3
    ds.PhotometricInterpretation = "MONOCHROME2" if image.ndim == 2 else "RGB"
    ds.BitsAllocated = ds.BitsStored = 8 * image.dtype.itemsize
    ds.HighBit, ds.PixelRepresentation = ds.BitsStored - 1, 0
    ds.PixelData = encapsulate([frame])
    for keyword, value in tags.items():
        setattr(ds, keyword, value)
    return ds


@pytest.mark.parametrize("container", [False, True])
@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
# Sizes that the stream writes in each of its ways: a number of 9 or 13 bits, a multiple of 8, a ratio of the sides.
@pytest.mark.parametrize("shape", [(37, 51), (64, 48), (64, 64), (300, 400), (1, 1000), (540, 5)])
def test_lossless_jpeg_xl_gives_the_encoded_pixels(shape: tuple[int, int], bits: int, container: bool) -> None:
    image = picture(bits, shape)
    frame = bytes(imagecodecs.jpegxl_encode(image, lossless=True, effort=1, bitspersample=bits, usecontainer=container))
    stream = jpeg_xl_header(frame, 1)
    assert (stream.rows, stream.columns, stream.precision) == (*shape, bits)
    found, layout = decode_pixels(data_set(frame, JPEG_XL[0], image))
    np.testing.assert_array_equal(found, image)
    assert layout.stored == bits


@pytest.mark.parametrize("syntax", JPEG_XL)
def test_jpeg_xl_in_colour_and_from_jpeg(syntax: str) -> None:
    image = smooth((40, 64))
    jpeg = bytes(imagecodecs.jpeg8_encode(image, level=98))
    lossless = bytes(imagecodecs.jpegxl_encode(image, lossless=True))
    frame = bytes(imagecodecs.jpegxl_encode_jpeg(jpeg)) if syntax == JPEG_XL[1] else lossless
    photometric = {JPEG_XL[1]: "YBR_FULL_422", JPEG_XL[2]: "XYB"}.get(syntax, "RGB")
    found, _ = decode_pixels(data_set(frame, syntax, image, PhotometricInterpretation=photometric))
    assert np.abs(found - image @ [0.299, 0.587, 0.114]).max() <= (8 if syntax == JPEG_XL[1] else 1)


def test_lossy_jpeg_xl_is_near() -> None:
    rows, columns = np.mgrid[:60, :80]
    image = (2000 + 1000 * np.sin(rows / 9) + 1000 * np.cos(columns / 13)).astype(np.uint16)
    frame = bytes(imagecodecs.jpegxl_encode(image, distance=0.5, bitspersample=12))
    found, _ = decode_pixels(data_set(frame, JPEG_XL[2], image, BitsStored=12, HighBit=11))
    assert np.abs(found.astype(int) - image).mean() < 20


def test_a_jpeg_xl_stream_that_is_not_the_picture_of_the_tags() -> None:
    image = picture(12, (37, 51))
    frame = bytes(imagecodecs.jpegxl_encode(image, lossless=True, bitspersample=12))
    for ds, said in (
        (
            data_set(frame, JPEG_XL[0], image, Rows=36),
            "its pixel stream holds .37, 51, 1. .* of 12 bits, its tags say .36",
        ),
        (data_set(frame[: len(frame) // 2], JPEG_XL[0], image), "JPEG XL Lossless. cannot be read"),
        (data_set(frame[:3], JPEG_XL[0], image), "cut off in its JPEG XL header"),
        (data_set(b"\0" * 40, JPEG_XL[0], image), "no JPEG XL header"),
        (data_set(frame, JPEG_XL[0], smooth((37, 51)), BitsAllocated=8), "of 12 bits, its tags say"),
    ):
        with pytest.raises(UnreadableError, match=said):
            decode_pixels(ds)
    # Grey in place of colour is found by the decoder, before it allocates.
    grey = picture(8, (37, 51))
    frame = bytes(imagecodecs.jpegxl_encode(grey, lossless=True))
    with pytest.raises(UnreadableError, match=r"JPEG XL Lossless. cannot be read .ValueError"):
        decode_pixels(data_set(frame, JPEG_XL[0], smooth((37, 51))))


def test_floating_point_jpeg_xl_is_refused() -> None:
    frame = bytes(
        imagecodecs.jpegxl_encode(np.linspace(0, 1, 64 * 64, dtype=np.float32).reshape(64, 64), lossless=True)
    )
    with pytest.raises(UnreadableError, match="floating point"):
        jpeg_xl_header(frame, 1)


@pytest.mark.parametrize("bits", [8, 12])
def test_deflated_frames(bits: int) -> None:
    image = picture(bits, (37, 51))
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    frame = packer.compress(image.tobytes()) + packer.flush()
    ds = data_set(frame + b"\0" * (len(frame) % 2), DEFLATED_FRAME, image, BitsStored=bits, HighBit=bits - 1)
    np.testing.assert_array_equal(decode_pixels(ds)[0], image)
    ds.Rows = 30
    with pytest.raises(UnreadableError, match="larger than any image"):
        decode_pixels(ds)
    ds.Rows = 38
    with pytest.raises(UnreadableError, match="by its tags"):
        decode_pixels(ds)


@pytest.mark.parametrize(
    ("syntax", "said"),
    [
        ("1.2.840.10008.1.2.4.100", "MPEG2 Main Profile / Main Level is not read"),
        ("1.2.840.10008.1.2.4.113", r"1\.2\.840\.10008\.1\.2\.4\.113 is not read"),
        ("1.2.826.0.1.3680043.8.498.20240131", "unknown or private is not read"),
    ],
)
def test_other_syntaxes_are_refused_by_name_and_private_ones_without(syntax: str, said: str) -> None:
    with pytest.raises(UnreadableError, match=f"transfer syntax {said}"):
        decode_pixels(data_set(b"\0" * 40, syntax, picture(8, (4, 4))))
