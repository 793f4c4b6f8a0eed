"""A compressed stream's own precision and sign against whatever the tags say: the numbers are those encoded."""

from __future__ import annotations

from itertools import product
from typing import Any

import imagecodecs
import jpeg_ls
import numpy as np
import pydicom
import pytest
from openjpeg.utils import encode_array
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels.utils import pixel_array
from pydicom.uid import UID, JPEG2000Lossless, JPEGLosslessSV1, JPEGLSLossless, SecondaryCaptureImageStorage

from scripts.radiograph.codecs import JPEG_XL, decode_pixels
from scripts.radiograph.display import display_of
from scripts.radiograph.layout import OTHER_NUMBERS

SHAPE = (37, 51)
SYNTAXES = (JPEGLosslessSV1, JPEGLSLossless, JPEG2000Lossless, JPEG_XL[0])
PRECISIONS = (8, 10, 12, 16)
# Only JPEG 2000 has a sign of its own.
KINDS = [
    *product(("unsigned", "two's complement"), SYNTAXES),
    *product(("signed stream", "signed stream in an unsigned file"), (JPEG2000Lossless,)),
]


def numbers(bits: int, signed: bool) -> np.ndarray:
    """All sorts of numbers of so many bits, the least and the greatest among them."""
    low = -(2 ** (bits - 1)) if signed else 0
    values = np.random.default_rng(bits).integers(low, low + 2**bits, SHAPE)
    values.flat[:2] = low, low + 2**bits - 1
    return values


def encoded(values: np.ndarray, syntax: str, precision: int, signed_stream: bool = False) -> bytes:
    """A lossless stream of this precision; negative numbers as two's complement where the stream knows no sign."""
    if signed_stream:
        return encode_array(values.astype(np.int8 if precision <= 8 else np.int16), precision)
    container = (values & (2**precision - 1)).astype(np.uint8 if precision <= 8 else np.uint16)
    if syntax == JPEGLosslessSV1:
        return bytes(imagecodecs.jpeg8_encode(container, lossless=True, predictor=1, bitspersample=precision))
    if syntax == JPEGLSLossless:
        return bytes(jpeg_ls.encode_buffer(container.tobytes(), *SHAPE, 1, precision))
    if syntax == JPEG2000Lossless:
        return encode_array(container, precision)
    return bytes(imagecodecs.jpegxl_encode(container, lossless=True, bitspersample=precision))


def data_set(frame: bytes, syntax: str, **tags: Any) -> Dataset:
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = UID(syntax)
    ds.set_original_encoding(False, True)
    ds.SOPClassUID = SecondaryCaptureImageStorage
    ds.Rows, ds.Columns = SHAPE
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PixelRepresentation = 1, "MONOCHROME2", 0
    ds.BitsAllocated = 16
    ds.PixelData = encapsulate([frame])
    for keyword, value in tags.items():
        setattr(ds, keyword, value)
    return ds


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize(("kind", "syntax"), KINDS)
def test_a_stream_gives_the_numbers_that_were_encoded(kind: str, syntax: str, precision: int) -> None:
    """Stream precision x Bits Stored x High Bit x sign x syntax, with numbers of the whole precision and of less."""
    in_stream, in_tags = "stream" in kind, kind in ("two's complement", "signed stream")
    signed = in_stream or in_tags
    for bits in {precision, min(precision, 10)}:
        values = numbers(bits, signed)
        frame = encoded(values, syntax, precision, in_stream)
        for stored, high_bit in product((8, 10, 12, 16), (None, 15)):
            tags = {"BitsStored": stored, "HighBit": high_bit or stored - 1, "PixelRepresentation": int(in_tags)}
            ds = data_set(frame, syntax, **tags)
            found, layout = decode_pixels(ds)
            said = f"{bits} bits in a stream of {precision}, {stored} by the tags"
            np.testing.assert_array_equal(found, values, err_msg=said)
            contradicts = bits > stored or signed != in_tags
            assert (layout.signed, layout.remarks) == (signed, (OTHER_NUMBERS,) if contradicts else ()), said
            display = display_of(ds, layout)
            np.testing.assert_array_equal(display.show(found), values, err_msg=said)
            assert display.low <= values.min() and values.max() <= display.high
            # pydicom 3.0.2 reads these so, too; a signed stream in an unsigned file it does not (-1 is 65535), and it
            # knows no decoder of JPEG lossless that does not come under the GPL, and no JPEG XL.
            if syntax in (JPEGLSLossless, JPEG2000Lossless) and signed == in_tags and precision > 8:
                np.testing.assert_array_equal(pixel_array(ds), values, err_msg=said)


@pytest.mark.parametrize("syntax", [JPEGLosslessSV1, JPEGLSLossless, JPEG2000Lossless])
def test_a_stream_of_the_masked_bits_of_signed_numbers(syntax: str) -> None:
    """12 bits of two's complement without their sign above, in a stream of 16 bits: the tags say where the sign is."""
    values = numbers(12, signed=True)
    frame = encoded(values & 0xFFF, syntax, 16)
    found, layout = decode_pixels(data_set(frame, syntax, BitsStored=12, HighBit=11, PixelRepresentation=1))
    np.testing.assert_array_equal(found, values)
    assert not layout.remarks


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_more_bits_than_are_allocated_are_refused(syntax: str) -> None:
    frame = encoded(numbers(12, signed=False), syntax, 12)
    with pytest.raises(ValueError, match=r"of 12 bits, its tags say .* of 8"):
        decode_pixels(data_set(frame, syntax, BitsAllocated=8, BitsStored=8, HighBit=7))


def test_reduced_decode_of_a_signed_stream_in_an_unsigned_file() -> None:
    values = np.add.outer(np.linspace(-30000, -1, 81), np.linspace(0, 30000, 61)).astype(np.int16)
    ds = data_set(encode_array(values, 16), JPEG2000Lossless, Rows=81, Columns=61, BitsStored=16, HighBit=15)
    reduced, layout = decode_pixels(ds, longest=20)
    assert reduced.shape == (21, 16) and layout.signed
    assert abs(int(reduced[10, 8]) - int(values[40, 32])) < 0.03 * 2**16


def test_j2k_pixel_representation_mismatch_of_pydicom() -> None:
    """pydicom's own example: signed tags, unsigned stream, -2000 outside the picture."""
    ds = pydicom.dcmread(str(pydicom.data.get_testdata_file("J2K_pixelrep_mismatch.dcm")))
    found, layout = decode_pixels(ds)
    np.testing.assert_array_equal(found, ds.pixel_array)
    assert found.min() == -2000 and layout.stored == 13


def test_rle_has_no_precision_of_its_own_and_keeps_the_rules_of_uncompressed_pixels() -> None:
    values = numbers(12, signed=False).astype(np.uint16)
    ds = data_set(b"  ", "1.2.840.10008.1.2.1", BitsStored=16, HighBit=15)
    ds.compress("1.2.840.10008.1.2.5", values | np.uint16(0x5000))
    ds.BitsStored, ds.HighBit = 12, 11
    np.testing.assert_array_equal(decode_pixels(ds)[0], values)
