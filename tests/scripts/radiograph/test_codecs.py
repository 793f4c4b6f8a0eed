"""Every decoder against the pixels that were encoded, by another library where one can."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pydicom
import pytest
from openjpeg.utils import encode_array
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels.utils import pixel_array
from pydicom.uid import (
    HTJ2K,
    MPEG2MPML,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    JPEG2000Lossless,
    JPEGExtended12Bit,
    JPEGLossless,
    SecondaryCaptureImageStorage,
)

from bundle.demo.dicom import SYNTAXES, write_dx
from scripts.radiograph.codecs import TRAILING, decode_pixels
from scripts.radiograph.codestream import jpeg_2000_header, jpeg_header

LOSSLESS = [name for name in SYNTAXES if name not in ("jpeg_baseline", "jpeg2000")]
SHAPE = (37, 51)


def ramp(bits: int, shape: tuple[int, int] = SHAPE) -> np.ndarray:
    values = np.linspace(0, 2**bits - 1, shape[0] * shape[1]).reshape(shape)
    return values.round().astype(np.uint8 if bits <= 8 else np.uint16)


def data_set(pixel_data: bytes, syntax: Any = ExplicitVRLittleEndian, **tags: Any) -> Dataset:
    """A data set in memory: 12 bits in 16, unsigned, MONOCHROME2, of SHAPE, unless `tags` say otherwise."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = syntax
    ds.set_original_encoding(False, syntax != ExplicitVRBigEndian)
    ds.SOPClassUID = SecondaryCaptureImageStorage
    ds.Rows, ds.Columns = SHAPE
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.PixelData = pixel_data
    for keyword, value in tags.items():
        setattr(ds, keyword, value)
    return ds


@pytest.mark.parametrize("name", LOSSLESS)
@pytest.mark.parametrize("bits", [8, 10, 12, 14, 15, 16])
def test_lossless_syntaxes_give_the_encoded_values(tmp_path: Path, name: str, bits: int) -> None:
    write_dx(tmp_path / "a.dcm", ramp(bits), bits_stored=bits, transfer_syntax=name, uid_seed="1")
    pixels, layout = decode_pixels(pydicom.dcmread(tmp_path / "a.dcm"))
    np.testing.assert_array_equal(pixels, ramp(bits))
    assert layout.stored == bits and not layout.signed


def test_jpeg_baseline_is_what_pydicom_reads(tmp_path: Path) -> None:
    write_dx(tmp_path / "a.dcm", ramp(8), transfer_syntax="jpeg_baseline", uid_seed="1")
    ds = pydicom.dcmread(tmp_path / "a.dcm")
    np.testing.assert_array_equal(decode_pixels(ds)[0], ds.pixel_array)


def test_every_real_file_is_what_pydicom_or_a_second_decoder_reads(shared_data: Path) -> None:
    for path in sorted((shared_data / "dicom").glob("*.dcm")):
        ds = pydicom.dcmread(path)
        if ds.file_meta.TransferSyntaxUID in (SYNTAXES["jpeg_lossless"], JPEGLossless):
            expected = imagecodecs.ljpeg_decode(pydicom.encaps.get_frame(ds.PixelData, 0, number_of_frames=1))
        else:
            expected = ds.pixel_array
        np.testing.assert_array_equal(decode_pixels(ds)[0], expected, err_msg=path.name)


@pytest.mark.parametrize("predictor", range(1, 8))
def test_jpeg_lossless_of_every_predictor(predictor: int) -> None:
    frame = imagecodecs.jpeg8_encode(ramp(12), lossless=True, predictor=predictor, bitspersample=12)
    pixels, _ = decode_pixels(data_set(encapsulate([bytes(frame)]), JPEGLossless))
    np.testing.assert_array_equal(pixels, imagecodecs.ljpeg_decode(frame))


def test_jpeg_extended_of_12_bits() -> None:
    frame = imagecodecs.jpeg8_encode(ramp(12), level=98, bitspersample=12)
    pixels, _ = decode_pixels(data_set(encapsulate([bytes(frame)]), JPEGExtended12Bit))
    assert np.abs(pixels.astype(int) - ramp(12)).max() < 60


def test_a_frame_in_several_fragments() -> None:
    frame = bytes(imagecodecs.jpeg8_encode(ramp(12), lossless=True, predictor=1, bitspersample=12))
    ds = data_set(encapsulate([frame], fragments_per_frame=3, has_bot=False), JPEGLossless)
    np.testing.assert_array_equal(decode_pixels(ds)[0], ramp(12))


def test_big_endian() -> None:
    ds = data_set(ramp(12).astype(">u2").tobytes(), ExplicitVRBigEndian)
    np.testing.assert_array_equal(decode_pixels(ds)[0], ramp(12))


@pytest.mark.parametrize("vr", ["OB", "OW"])
@pytest.mark.parametrize("shape", [(6, 4), (3, 5)])
def test_big_endian_pixels_of_8_bits(vr: str, shape: tuple[int, int]) -> None:
    """In words (OW) of big endian the second pixel's byte comes first (PS3.5 8.1.1, A.3), as pydicom knows."""
    values = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    padded = values.tobytes() + b"\0" * (values.size % 2)
    buffer = np.frombuffer(padded, "<u2").astype(">u2").tobytes() if vr == "OW" else padded
    eight = {"Rows": shape[0], "Columns": shape[1], "BitsAllocated": 8, "BitsStored": 8, "HighBit": 7}
    ds = data_set(b"", ExplicitVRBigEndian, **eight)
    ds.add_new("PixelData", vr, buffer)
    np.testing.assert_array_equal(decode_pixels(ds)[0], values)
    np.testing.assert_array_equal(pixel_array(ds), values)


def test_pydicoms_big_endian_file_in_colour_is_its_little_endian_twin() -> None:
    little, big = (
        decode_pixels(pydicom.dcmread(str(get_testdata_file(f"SC_rgb_small_odd{order}.dcm"))))[0]
        for order in ("", "_big_endian")
    )
    np.testing.assert_array_equal(little, big)


@pytest.mark.parametrize("excess", [b"\0" * 2, b"\0" * 104, b"\xff" * 5000])
def test_padding_behind_the_pixels_is_read_with_a_remark(excess: bytes) -> None:
    ds = data_set(ramp(12).tobytes() + excess)
    pixels, layout = decode_pixels(ds)
    np.testing.assert_array_equal(pixels, ramp(12))
    assert layout.remarks == (TRAILING,)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom's remark
        if len(excess) < ramp(12).nbytes:  # it takes more for further frames
            np.testing.assert_array_equal(pixels, pixel_array(ds))


@pytest.mark.parametrize("tags", [{"Rows": 36}, {"Columns": 50}, {"Rows": 38}])
def test_pixels_behind_the_picture_are_no_padding(tags: dict[str, int]) -> None:
    """Rows or Columns that lie: what is left over is a piece of the picture."""
    with pytest.raises(ValueError, match="by its tags: cut off, or wrong tags"):
        decode_pixels(data_set(ramp(12).tobytes(), **tags))


def test_overlay_bits_above_the_value_are_cleared() -> None:
    dirty = ramp(12) | np.uint16(0x5000)
    np.testing.assert_array_equal(decode_pixels(data_set(dirty.tobytes()))[0], ramp(12))


def test_a_value_in_the_upper_bits_is_shifted_down() -> None:
    ds = data_set((ramp(12) << 4).tobytes(), HighBit=15)
    np.testing.assert_array_equal(decode_pixels(ds)[0], ramp(12))


@pytest.mark.parametrize("stored", [10, 12, 16])
def test_signed_values(stored: int) -> None:
    values = np.linspace(-(2 ** (stored - 1)), 2 ** (stored - 1) - 1, 37 * 51).round().astype(np.int16).reshape(SHAPE)
    # Only the stored bits are defined; the unused ones hold the sign, zeros, or anything.
    raw = values.view(np.uint16) & np.uint16(2**stored - 1)
    for buffer in (values.tobytes(), raw.tobytes()):
        pixels, layout = decode_pixels(data_set(buffer, BitsStored=stored, HighBit=stored - 1, PixelRepresentation=1))
        np.testing.assert_array_equal(pixels, values)
        assert layout.signed


@pytest.mark.parametrize("longest", [None, 20])
@pytest.mark.parametrize(("stored", "dtype"), [(8, np.int8), (12, np.int16), (16, np.int16)])
def test_signed_jpeg_2000_exact_and_reduced(longest: int | None, stored: int, dtype: type) -> None:
    low = -(2 ** (stored - 1))
    values: np.ndarray = np.add.outer(np.linspace(low, -1, 81), np.linspace(0, -low - 1, 61)).astype(dtype)
    ds = data_set(
        encapsulate([encode_array(values, stored)]),
        JPEG2000Lossless,
        **{"Rows": 81, "Columns": 61, "BitsStored": stored, "HighBit": stored - 1, "PixelRepresentation": 1},
    )
    pixels, _ = decode_pixels(ds, longest)
    if longest is None:
        np.testing.assert_array_equal(pixels, values)
    else:
        assert pixels.shape == (21, 16)
        # A plane stays a plane: the middle of the picture is the middle of its values.
        assert abs(int(pixels[10, 8]) - int(values[40, 32])) < 0.03 * 2**stored


@pytest.mark.parametrize("syntax", [HTJ2K, HTJ2KLossless, HTJ2KLosslessRPCL])
def test_high_throughput_jpeg_2000(syntax: str) -> None:
    ds = data_set(encapsulate([bytes(imagecodecs.htj2k_encode(ramp(16), reversible=True))]), syntax)
    ds.BitsStored, ds.HighBit = 16, 15
    np.testing.assert_array_equal(decode_pixels(ds)[0], ramp(16))
    assert decode_pixels(ds, longest=20)[0].shape == (19, 26)


@pytest.mark.parametrize("shape", [(256, 192), (255, 193), (257, 190)])
@pytest.mark.parametrize("bits", [8, 12, 16])
def test_reduced_jpeg_2000_keeps_depth_and_place(tmp_path: Path, shape: tuple[int, int], bits: int) -> None:
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    pixels = ((np.sin(rows / 15) + np.cos(columns / 11) + 2) / 4 * (2**bits - 1)).astype(ramp(bits).dtype)
    write_dx(tmp_path / "a.dcm", pixels, bits_stored=bits, transfer_syntax="jpeg2000_lossless", uid_seed="1")
    reduced, _ = decode_pixels(pydicom.dcmread(tmp_path / "a.dcm"), longest=60)
    assert reduced.shape == (-(-shape[0] // 4), -(-shape[1] // 4)) and reduced.dtype == pixels.dtype
    # The value in the middle of what each reduced pixel stands for.
    y = (np.arange(reduced.shape[0]) + 0.5) * shape[0] / reduced.shape[0] - 0.5
    x = (np.arange(reduced.shape[1]) + 0.5) * shape[1] / reduced.shape[1] - 0.5
    expected = (np.add.outer(np.sin(y / 15), np.cos(x / 11)) + 2) / 4 * (2**bits - 1)
    assert np.abs(reduced - expected)[2:-2, 2:-2].max() < 0.02 * 2**bits


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        ({"NumberOfFrames": 3}, "3 frames"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "palette"),
        ({"PhotometricInterpretation": "CMYK", "SamplesPerPixel": 4}, "CMYK"),
        ({"Rows": 38}, "tags need|by its tags"),
        ({"Rows": 65535, "Columns": 65535}, "at most"),
        ({"Rows": 0}, "0 x 51"),
        ({"BitsAllocated": 32, "BitsStored": 32}, "32 bits"),
        ({"BitsStored": 17}, "17 bits"),
        ({"HighBit": 16}, "highest bit"),
        ({"PhotometricInterpretation": "DOE^JANE"}, "none of the standard's"),
    ],
)
def test_what_is_not_read_is_said(tags: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        decode_pixels(data_set(ramp(12).tobytes(), **tags))


def test_no_pixels_and_unknown_syntax_are_said() -> None:
    ds = data_set(encapsulate([b"\0" * 40]), MPEG2MPML)
    with pytest.raises(ValueError, match=r"MPEG2 .* is not read"):
        decode_pixels(ds)
    del ds.PixelData
    with pytest.raises(ValueError, match=r"no pixel data .Secondary Capture Image Storage"):
        decode_pixels(ds)


@pytest.mark.parametrize("name", ["jpeg_baseline", "jpeg_lossless", "jpeg_ls", "jpeg2000_lossless", "rle"])
def test_streams_that_disagree_with_the_tags_or_end_early(tmp_path: Path, name: str) -> None:
    write_dx(tmp_path / "a.dcm", ramp(8), transfer_syntax=name, uid_seed="1")
    ds = pydicom.dcmread(tmp_path / "a.dcm")
    frame = pydicom.encaps.get_frame(ds.PixelData, 0, number_of_frames=1)
    ds.PixelData = encapsulate([frame[: len(frame) // 2]])
    with pytest.raises(ValueError, match=r"cut off|segment"):
        decode_pixels(ds)
    ds.PixelData = encapsulate([frame])
    ds.Rows += 1
    with pytest.raises(ValueError, match=r"rows, columns, samples|segment"):
        decode_pixels(ds)


def test_headers_say_what_was_encoded() -> None:
    stream = jpeg_2000_header(encode_array(ramp(12).astype(np.int16), 13))
    assert (stream.rows, stream.columns, stream.precision, stream.signed) == (*SHAPE, 13, True)
    stream = jpeg_header(bytes(imagecodecs.jpeg8_encode(np.zeros((*SHAPE, 3), np.uint8))))
    assert (stream.rows, stream.columns, stream.samples, stream.precision) == (*SHAPE, 3, 8)
