"""Luminance of colour images: which three samples they are, the stream says, else the tags."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRLittleEndian, RLELossless

from bundle.demo.dicom import SYNTAXES
from scripts.radiograph.codecs import decode_pixels

SHAPE = (37, 51)


def ramp() -> np.ndarray:
    return np.linspace(0, 255, SHAPE[0] * SHAPE[1]).reshape(SHAPE).round().astype(np.uint8)


def data_set(pixel_data: bytes, syntax: Any = ExplicitVRLittleEndian, **tags: Any) -> Dataset:
    """A data set of SHAPE in memory: three samples of 8 bits."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = syntax
    ds.set_original_encoding(False, True)
    ds.Rows, ds.Columns, ds.SamplesPerPixel, ds.PlanarConfiguration = *SHAPE, 3, 0
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 8, 8, 7, 0
    ds.PixelData = pixel_data
    for keyword, value in tags.items():
        setattr(ds, keyword, value)
    return ds


def colour() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (*SHAPE, 3)).astype(np.uint8)


@pytest.mark.parametrize("planar", [0, 1])
@pytest.mark.parametrize("photometric", ["RGB", "YBR_FULL"])
def test_colour_becomes_luminance(planar: int, photometric: str) -> None:
    image = colour()
    buffer = (np.moveaxis(image, -1, 0) if planar else image).tobytes() + b"\0"
    pixels, _ = decode_pixels(data_set(buffer, PhotometricInterpretation=photometric, PlanarConfiguration=planar))
    expected = image[..., 0] if photometric == "YBR_FULL" else image @ [0.299, 0.587, 0.114]
    assert pixels.shape == SHAPE and np.abs(pixels - expected).max() <= 1


def test_colour_in_rle_and_jpeg() -> None:
    smooth = np.stack([ramp(), ramp()[::-1], ramp()[:, ::-1]], -1)
    ds = data_set(b"", PhotometricInterpretation="RGB")
    ds.compress(RLELossless, smooth)
    assert np.abs(decode_pixels(ds)[0] - smooth @ [0.299, 0.587, 0.114]).max() <= 1
    frame = bytes(imagecodecs.jpeg8_encode(smooth, level=98))
    ds = data_set(encapsulate([frame]), SYNTAXES["jpeg_baseline"], PhotometricInterpretation="YBR_FULL_422")
    assert np.abs(decode_pixels(ds)[0] - smooth @ [0.299, 0.587, 0.114]).max() <= 8


def markers(frame: bytes, keep: bytes = b"") -> bytes:
    """A JPEG without its JFIF and Adobe markers, or with `keep` in their place."""
    at, left = 2, b""
    while (marker := frame[at + 1]) != 0xDA:
        end = at + 2 + int.from_bytes(frame[at + 2 : at + 4], "big")
        left += b"" if marker in (0xE0, 0xEE) else frame[at:end]
        at = end
    return frame[:2] + keep + left + frame[at:]


def unnamed(frame: bytes) -> bytes:
    """A JPEG whose samples are called 1, 2, 3 in place of R, G, B, so that nothing says what they are."""
    return frame.replace(b"R\x11\0G\x11\0B\x11\0", b"\1\x11\0\2\x11\0\3\x11\0").replace(
        b"\3R\0G\0B\0", b"\3\1\0\2\0\3\0"
    )


JFIF = b"\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0"
ADOBE = b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0"


@pytest.mark.parametrize(
    ("marker", "photometric", "rgb"),
    [
        (b"", "RGB", True),
        (b"", "YBR_FULL_422", False),
        (ADOBE + b"\0", "YBR_FULL", True),
        (ADOBE + b"\1", "RGB", False),
        (JFIF, "RGB", False),
        (JFIF, "YBR_FULL", False),
    ],
)
def test_the_colours_of_a_jpeg_are_its_markers_else_the_tags(marker: bytes, photometric: str, rgb: bool) -> None:
    """Three smooth samples: their weighted sum when they are RGB, the first alone when they are YCbCr."""
    samples = np.stack([ramp(), ramp()[::-1], ramp()[:, ::-1]], -1)
    frame = bytes(imagecodecs.jpeg8_encode(samples, level=98, colorspace="RGB", outcolorspace="RGB", subsampling="444"))
    frame = markers(unnamed(frame), marker)
    ds = data_set(encapsulate([frame]), SYNTAXES["jpeg_baseline"], PhotometricInterpretation=photometric)
    expected = samples @ [0.299, 0.587, 0.114] if rgb else samples[..., 0]
    assert np.abs(decode_pixels(ds)[0] - expected.astype(float)).max() <= 4


def test_the_colours_of_every_jpeg_of_pydicom() -> None:
    """Luminance of what pydicom shows, from files of dcmtk, GDCM and dcm4che with and without markers."""
    names = sorted(Path(str(get_testdata_file("SC_rgb_jpeg.dcm"))).parent.glob("SC_*jp*g*.dcm"))
    compared = 0
    for path in names:
        ds = pydicom.dcmread(path)
        if ds.file_meta.TransferSyntaxUID == SYNTAXES["jpeg_lossless"]:
            continue  # no decoder of pydicom's
        difference = decode_pixels(ds)[0] - ds.pixel_array @ [0.299, 0.587, 0.114]
        # Saturated colours cannot be turned back to the luminance that they had.
        assert np.abs(difference).max() < 9 and np.abs(difference).mean() < 2, path.name
        compared += 1
    assert compared >= 7
