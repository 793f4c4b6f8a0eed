"""The DICOM writer against pydicom, which reads what it wrote."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.pixels.processing import apply_voi_lut

from bundle.demo.dicom import LOSSY, SYNTAXES, write_dx
from scripts.errors import CxrError

# pydicom alone has no decoder for JPEG lossless; test_codecs reads that one with two others.
READABLE = [name for name in SYNTAXES if name != "jpeg_lossless"]


def ramp(bits: int, shape: tuple[int, int] = (37, 51)) -> np.ndarray:
    values = np.linspace(0, 2**bits - 1, shape[0] * shape[1]).reshape(shape)
    return values.round().astype(np.uint8 if bits <= 8 else np.uint16)


@pytest.mark.parametrize(
    ("name", "bits"),
    [(name, bits) for name in READABLE for bits in (8, 10, 12, 16) if bits == 8 or name != "jpeg_baseline"],
)
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_pydicom_reads_the_pixels_back(tmp_path: Path, name: str, photometric: str, bits: int) -> None:
    pixels = ramp(bits)
    write_dx(tmp_path / "a.dcm", pixels, photometric=photometric, bits_stored=bits, transfer_syntax=name, uid_seed="1")
    ds = pydicom.dcmread(tmp_path / "a.dcm")
    stored = ds.pixel_array.astype(int)
    shown = 2**bits - 1 - stored if photometric == "MONOCHROME1" else stored
    assert ds.file_meta.TransferSyntaxUID == SYNTAXES[name]
    assert np.abs(shown - pixels).max() <= (0.05 * 2**bits if SYNTAXES[name] in LOSSY else 0)


@pytest.mark.parametrize("name", SYNTAXES)
def test_same_arguments_same_bytes_and_another_seed_other_uids(tmp_path: Path, name: str) -> None:
    files = [tmp_path / f"{index}.dcm" for index in range(3)]
    for file, seed in zip(files, ("a", "a", "b")):
        write_dx(file, ramp(8), transfer_syntax=name, uid_seed=seed)
    assert files[0].read_bytes() == files[1].read_bytes()
    first, other = (pydicom.dcmread(file) for file in files[1:])
    for keyword in ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID"):
        assert first[keyword].value.is_valid and first[keyword].value != other[keyword].value


def test_window_padding_and_picture_are_the_same_in_both_polarities(tmp_path: Path) -> None:
    shown = []
    for photometric in ("MONOCHROME1", "MONOCHROME2"):
        write_dx(
            tmp_path / "a.dcm",
            ramp(12),
            photometric=photometric,
            window=(1500.0, 801.0),
            rescale=(2.0, -100.0),
            padding_value=0,
            uid_seed="1",
        )
        ds = pydicom.dcmread(tmp_path / "a.dcm")
        stored = ds.pixel_array
        assert (stored == ds.PixelPaddingValue).sum() == (ramp(12) == 0).sum()
        picture = apply_voi_lut(stored * 2.0 - 100.0, ds)
        shown.append(2 * 4095.0 - 200 - picture if photometric == "MONOCHROME1" else picture)
    np.testing.assert_allclose(shown[0], shown[1], atol=1e-9)
    # c = 1500, w = 801: from 1099.5 to 1899.5 rescaled, so from 599.75 to 999.75 stored.
    assert shown[0][ramp(12) <= 599].max() == -100 and shown[0][ramp(12) >= 1000].min() == 8090


def test_tags_are_added_replaced_and_deleted(tmp_path: Path) -> None:
    write_dx(
        tmp_path / "a.dcm",
        ramp(8),
        spacing=(0.1, 0.2),
        tags={"ViewPosition": "PA", "Manufacturer": "Other", "BodyPartExamined": None},
        uid_seed="1",
    )
    ds = pydicom.dcmread(tmp_path / "a.dcm")
    assert (ds.ViewPosition, ds.Manufacturer, ds.ImagerPixelSpacing) == ("PA", "Other", [0.1, 0.2])
    assert "BodyPartExamined" not in ds


@pytest.mark.parametrize(
    ("pixels", "options", "said"),
    [
        (ramp(12), {"photometric": "RGB"}, "RGB"),
        (ramp(12), {"bits_stored": 10}, "at most 1023"),
        (ramp(12), {"transfer_syntax": "1.2.3"}, "cannot write"),
        (ramp(12), {"transfer_syntax": "jpeg_baseline"}, "8 bits"),
        (ramp(12)[None], {}, "2-D"),
    ],
)
def test_what_cannot_be_written_is_said(tmp_path: Path, pixels: np.ndarray, options: dict, said: str) -> None:
    with pytest.raises(CxrError, match=said):
        write_dx(tmp_path / "a.dcm", pixels, uid_seed="1", **options)
