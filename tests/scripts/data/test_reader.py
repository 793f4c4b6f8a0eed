"""CxrReader against pydicom's own functions, hand-computed tiny images, damaged files, and inside stock LoadImaged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from monai.data import PydicomReader, list_data_collate
from monai.transforms import LoadImage, LoadImaged
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.filebase import DicomFileLike
from pydicom.filewriter import write_dataset
from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut
from pydicom.sequence import Sequence

from bundle.demo.dicom import SYNTAXES, write_dx
from scripts.data.picture_reader import PictureReader
from scripts.data.reader import CxrReader
from scripts.data.store_reader import StoreReader
from scripts.errors import CxrError
from scripts.radiograph.standard_image import standardize

LINE = np.array([[0, 1000, 2000, 3000, 4095]], np.uint16)


def read(path: Path, **options: Any) -> tuple[np.ndarray, dict]:
    reader = CxrReader(**options)
    return reader.get_data(reader.read(path))


def edit(path: Path, **tags: Any) -> Path:
    ds = pydicom.dcmread(path)
    for keyword, value in tags.items():
        setattr(ds, keyword, value)
    ds.save_as(path)
    return path


def line(folder: Path, **options: Any) -> Path:
    write_dx(folder / "line.dcm", LINE, uid_seed="1", **options)
    return folder / "line.dcm"


def scene(shape: tuple[int, int] = (611, 503), bits: int = 12, seed: int = 0) -> np.ndarray:
    """Smooth shapes, an edge and detector noise, so that reduced decodes have something to lose."""
    rows, columns = np.mgrid[: shape[0], : shape[1]] / 60
    picture = np.sin(rows) + np.cos(columns * 1.3) + (columns > 5)
    picture += np.random.default_rng(seed).normal(0, 0.03, shape)
    scaled = (picture - picture.min()) / np.ptp(picture) * (2**bits - 1)
    return scaled.round().astype(np.uint8 if bits <= 8 else np.uint16)


def psnr(exact: np.ndarray, other: np.ndarray) -> float:
    return float(-10 * np.log10(np.mean((exact.astype(float) - other) ** 2) + 1e-12))


def by_pydicom(path: Path, stored: np.ndarray | None = None) -> np.ndarray:
    """The displayed picture with pydicom's functions and the polarity written out."""
    ds = pydicom.dcmread(path)
    shown = apply_voi_lut(apply_modality_lut(ds.pixel_array if stored is None else stored, ds), ds).astype(float)
    if ds.PhotometricInterpretation != "MONOCHROME1":
        return shown
    slope, intercept = float(ds.get("RescaleSlope", 1)), float(ds.get("RescaleIntercept", 0))
    return slope * (2**ds.BitsStored - 1) + 2 * intercept - shown


@pytest.mark.parametrize("name", SYNTAXES)
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("bits", [8, 10, 12, 15, 16])
@pytest.mark.parametrize("window", [None, (100.0, 120.0)])
def test_generated_files_are_what_pydicom_shows(
    tmp_path: Path, name: str, photometric: str, bits: int, window: tuple[float, float] | None
) -> None:
    if name == "jpeg_baseline":
        bits = 8
    path, pixels = tmp_path / "a.dcm", scene((61, 53), bits)
    write_dx(
        path,
        pixels,
        photometric=photometric,
        bits_stored=bits,
        transfer_syntax=name,
        window=window,
        rescale=(0.5, -20),
        uid_seed="1",
    )
    # pydicom has no JPEG lossless decoder of its own.
    stored = None
    if name == "jpeg_lossless":
        stored = 2**bits - 1 - pixels if photometric == "MONOCHROME1" else pixels
    image, meta = read(path)
    np.testing.assert_allclose(image, by_pydicom(path, stored), atol=1e-5 * 2**bits)
    assert image.dtype == np.float32 and image.shape == (61, 53) and np.isnan(meta["padding"])


def test_every_real_file_is_what_pydicom_shows(shared_data: Path) -> None:
    paths = [path for path in sorted((shared_data / "dicom").glob("*.dcm")) if "JPLL" not in path.name]
    assert len(paths) >= 5
    for path in paths:
        image, meta = read(path)
        np.testing.assert_allclose(image, by_pydicom(path), rtol=1e-6, atol=1e-3, err_msg=path.name)
        assert (meta["height"], meta["width"]) == image.shape


@pytest.mark.parametrize("size", [64, 128, 256, 512])
def test_reduced_decode_of_real_files_holds_40_db(shared_data: Path, size: int) -> None:
    for path in sorted((shared_data / "dicom").glob("*.dcm")):
        exact, _ = read(path)
        reduced, meta = read(path, decode_size=size)
        assert max(reduced.shape) == min(size, max(exact.shape)) and (meta["height"], meta["width"]) == exact.shape
        assert psnr(standardize(exact, size, None), standardize(reduced, size, None)) >= 40, path.name


@pytest.mark.parametrize("name", SYNTAXES)
@pytest.mark.parametrize("options", [{}, {"window": (2000.0, 1500.0)}, {"photometric": "MONOCHROME1"}])
def test_reduced_decode_of_generated_files_holds_40_db(tmp_path: Path, name: str, options: dict) -> None:
    bits = 8 if name == "jpeg_baseline" else 12
    write_dx(tmp_path / "a.dcm", scene(bits=bits), bits_stored=bits, transfer_syntax=name, uid_seed="1", **options)
    exact, _ = read(tmp_path / "a.dcm")
    for size in (96, 150, 300):
        reduced, _ = read(tmp_path / "a.dcm", decode_size=size)
        assert max(reduced.shape) == size
        assert psnr(standardize(exact, size, None), standardize(reduced, size, None)) >= 40


def test_an_image_smaller_than_decode_size_is_exact(tmp_path: Path) -> None:
    np.testing.assert_array_equal(read(line(tmp_path), decode_size=100)[0], LINE)


# Expected values by hand from PS3.3 C.11.2.1.2 and C.11.2.1.3, range 0 to 4095.
@pytest.mark.parametrize(
    ("function", "window", "expected"),
    [
        ("LINEAR", (2000.0, 2001.0), [0, 0.00025 * 4095, 0.50025 * 4095, 4095, 4095]),
        ("LINEAR", (1000.5, 1.0), [0, 0, 4095, 4095, 4095]),
        ("LINEAR_EXACT", (2000.0, 2000.0), [0, 0, 2047.5, 4095, 4095]),
        ("SIGMOID", (2000.0, 4000.0), [4095 / (1 + np.exp(-(x - 2000) / 1000)) for x in LINE[0].astype(float)]),
        ("LINEAR", (2000.0, 0.0), [0, 1000, 2000, 3000, 4095]),  # 0 wide: no window
    ],
)
def test_window_functions(tmp_path: Path, function: str, window: tuple[float, float], expected: list[float]) -> None:
    path = line(tmp_path, window=window, tags={"VOILUTFunction": function})
    np.testing.assert_allclose(read(path)[0][0], expected, atol=1e-2)


def test_of_several_windows_the_first(tmp_path: Path) -> None:
    path = edit(line(tmp_path), WindowCenter=[2000.5, 9], WindowWidth=[2001, 9])
    np.testing.assert_allclose(read(path)[0][0], [0, 0, 2047.5, 4095, 4095], atol=2)


def lut(first: int, bits: int, entries: np.ndarray) -> Sequence:
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [len(entries), first, bits])
    item.add_new("LUTData", "OW", entries.astype("<u2").tobytes())
    return Sequence([item])


def test_voi_lut_sequence_goes_before_the_window(tmp_path: Path) -> None:
    path = edit(line(tmp_path, window=(1.0, 2.0)), VOILUTSequence=lut(1000, 10, np.linspace(0, 1023, 2001)))
    # 1000 -> entry 0, 2000 -> entry 1000, beyond the ends -> the ends' entries.
    np.testing.assert_array_equal(read(path)[0], [[0, 0, 511, 1023, 1023]])
    np.testing.assert_array_equal(read(path)[0], by_pydicom(path))


def test_an_8_bit_lut_of_more_than_256_entries(tmp_path: Path) -> None:
    path = edit(line(tmp_path), VOILUTSequence=lut(0, 8, np.arange(4096) // 16))
    np.testing.assert_array_equal(read(path)[0], [[0, 62, 125, 187, 255]])
    packed = edit(path, VOILUTSequence=lut(0, 8, np.arange(4096) // 16))
    ds = pydicom.dcmread(packed)
    ds.VOILUTSequence[0].LUTData = (np.arange(4096) // 16).astype(np.uint8).tobytes()
    ds.save_as(packed)
    np.testing.assert_array_equal(read(packed)[0], [[0, 62, 125, 187, 255]])


def test_modality_lut_then_window_then_inversion(tmp_path: Path) -> None:
    path = edit(
        line(tmp_path, window=(512.0, 1024.0), tags={"VOILUTFunction": "LINEAR_EXACT"}),
        ModalityLUTSequence=lut(0, 10, np.arange(4096) // 4),
        PhotometricInterpretation="MONOCHROME1",
    )
    shown = np.array([0, 250, 500, 750, 1023]) / 1024 * 1023
    np.testing.assert_allclose(read(path)[0], [1023 - shown], atol=1e-3)


@pytest.mark.parametrize(
    ("photometric", "shape", "inverted"),
    [
        ("MONOCHROME2", "IDENTITY", False),
        ("MONOCHROME2", None, False),
        ("MONOCHROME1", None, True),
        ("MONOCHROME1", "INVERSE", True),  # says the same twice
        ("MONOCHROME2", "INVERSE", True),
        ("MONOCHROME1", "IDENTITY", True),
    ],
)
def test_polarity(tmp_path: Path, photometric: str, shape: str | None, inverted: bool) -> None:
    path = edit(
        line(tmp_path, tags={"PresentationLUTShape": None}),
        PhotometricInterpretation=photometric,
        **({"PresentationLUTShape": shape} if shape else {}),
    )
    np.testing.assert_array_equal(read(path)[0], 4095 - LINE if inverted else LINE)


def test_rescale_with_only_one_of_its_tags_and_with_a_negative_slope(tmp_path: Path) -> None:
    path = line(tmp_path, rescale=(1, -1024), tags={"RescaleSlope": None})
    np.testing.assert_array_equal(read(path)[0], LINE.astype(float) - 1024)
    path = line(tmp_path, rescale=(-1, 4095), window=(2048.0, 4096.0))
    np.testing.assert_allclose(read(path)[0], 4095 - LINE.astype(float), atol=1e-3)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("decode_size", [None, 100])
def test_padding_is_darkest_and_marked(tmp_path: Path, photometric: str, decode_size: int | None) -> None:
    pixels = np.clip(scene((400, 300)), 500, 3000)
    pixels[:, :100] = 4095
    path = tmp_path / "a.dcm"
    write_dx(path, pixels, photometric=photometric, padding_value=4095, uid_seed="1")
    image, meta = read(path, decode_size=decode_size)
    padded = image == np.float32(meta["padding"])
    # A padded third of the columns, to the pixel, and the picture beside it as bright as ever.
    np.testing.assert_array_equal(np.unique(padded.argmin(axis=1)), [100 * image.shape[1] // 300])
    assert padded.mean() == pytest.approx(1 / 3, abs=0.01)
    assert image[padded].max() < image[~padded].min() and image[~padded].min() >= 499 and image.min() < 0.1


@pytest.mark.parametrize("name", ["explicit", "jpeg2000_lossless"])
def test_a_round_shutter_survives_the_reduced_decode(tmp_path: Path, name: str) -> None:
    pixels = np.clip(scene(), 500, 3000)
    rows, columns = np.mgrid[: pixels.shape[0], : pixels.shape[1]]
    pixels[(rows - 300) ** 2 + (columns - 250) ** 2 > 280**2] = 4095
    write_dx(tmp_path / "a.dcm", pixels, transfer_syntax=name, padding_value=4095, uid_seed="1")
    (exact, meta), (reduced, same) = read(tmp_path / "a.dcm"), read(tmp_path / "a.dcm", decode_size=128)
    assert meta["padding"] == same["padding"]
    expected, got = (standardize(image, 128, None, padding=meta["padding"]) for image in (exact, reduced))
    assert psnr(expected, got) >= 40


def test_padding_range_and_a_value_with_the_wrong_sign(tmp_path: Path) -> None:
    path = line(tmp_path, padding_value=0)
    ds = pydicom.dcmread(path)
    ds.add_new("PixelPaddingRangeLimit", "US", 1500)
    ds.save_as(path)
    assert (read(path)[0] == read(path)[1]["padding"]).tolist() == [[True, True, False, False, False]]
    # -2000 in a signed file, written as its unsigned twin 63536.
    ds = pydicom.dcmread(line(tmp_path))
    ds.PixelRepresentation, ds.BitsStored, ds.HighBit = 1, 16, 15
    ds.PixelData = np.array([[-2000, -100, 0, 100, 200]], "<i2").tobytes()
    ds.add_new("PixelPaddingValue", "US", 63536)
    ds.save_as(path)
    image, meta = read(path)
    assert image[0, 1:].tolist() == [-100, 0, 100, 200] and image[0, 0] == np.float32(meta["padding"]) < -32768


def test_padding_that_is_nowhere_changes_nothing(tmp_path: Path) -> None:
    image, meta = read(line(tmp_path, padding_value=77))
    np.testing.assert_array_equal(image, LINE)
    assert np.isnan(meta["padding"])


@pytest.mark.parametrize(
    ("tags", "spacing"),
    [
        ({"PixelSpacing": [0.3, 0.4], "ImagerPixelSpacing": [0.1, 0.1]}, (0.3, 0.4)),
        ({"ImagerPixelSpacing": [0.14, 0.15]}, (0.14, 0.15)),
        ({"ImagerPixelSpacing": [0, 0]}, (np.nan, np.nan)),
        ({}, (np.nan, np.nan)),
    ],
)
def test_spacing(tmp_path: Path, tags: dict, spacing: tuple[float, float]) -> None:
    path = tmp_path / "a.dcm"
    write_dx(path, scene((200, 100)), spacing=None, tags=tags, uid_seed="1")
    known = np.nan_to_num(spacing, nan=1.0)
    for decode_size, factor in ((None, 1), (50, 4)):
        image = LoadImage(reader=CxrReader(decode_size=decode_size))(str(path))
        np.testing.assert_allclose(image.pixdim, known * factor)
        np.testing.assert_allclose([image.meta["spacing_y"], image.meta["spacing_x"]], spacing)


def test_meta_holds_what_matters_and_nobodys_name(tmp_path: Path) -> None:
    secret = {"PatientName": "SECRET^NAME", "PatientID": "SECRET7", "PatientBirthDate": "19700101"}
    path = line(tmp_path, tags={"ViewPosition": "PA", **secret, "InstitutionName": "SECRET", "StudyDate": "20200101"})
    _, meta = read(path)
    assert (meta["view"], meta["laterality"], meta["photometric"]) == ("PA", "U", "MONOCHROME2")
    assert (meta["manufacturer"], meta["height"], meta["width"]) == ("Synthetic", 1, 5)
    text = repr(meta)
    assert "SECRET" not in text and "1970" not in text and "2020" not in text


def test_files_without_preamble_or_file_meta(tmp_path: Path) -> None:
    ds = pydicom.dcmread(line(tmp_path, transfer_syntax="implicit"))
    bare = tmp_path / "bare"
    with bare.open("wb") as file:
        stream = DicomFileLike(file)
        stream.is_implicit_VR, stream.is_little_endian = True, True
        write_dataset(stream, ds)
    np.testing.assert_array_equal(read(bare)[0], LINE)
    # The file meta group without the preamble before it.
    whole = line(tmp_path, transfer_syntax="rle")
    stripped = tmp_path / "stripped.dcm"
    stripped.write_bytes(whole.read_bytes()[132:])
    np.testing.assert_array_equal(read(stripped)[0], LINE)


def test_which_files_it_takes(tmp_path: Path) -> None:
    whole = line(tmp_path)
    for name in ("IM0001", "1.2.840.113619.2.5", "image.ima"):
        (tmp_path / name).write_bytes(whole.read_bytes())
    (tmp_path / "nopreamble.img").write_bytes(whole.read_bytes()[132:])
    Image.fromarray(np.zeros((3, 3), np.uint8)).save(tmp_path / "a.png")
    np.save(tmp_path / "a.npy", LINE)
    reader = CxrReader()
    taken = ["line.dcm", "IM0001", "1.2.840.113619.2.5", "image.ima", "nopreamble.img", "absent.dcm"]
    assert all(reader.verify_suffix(tmp_path / name) for name in taken)
    assert not any(reader.verify_suffix(tmp_path / name) for name in ("a.png", "a.npy", "absent.png"))
    with pytest.raises(ValueError, match="not a DICOM file"):
        reader.read(tmp_path / "a.png")


def test_errors_name_the_file_and_the_reason(tmp_path: Path) -> None:
    whole = line(tmp_path)
    (tmp_path / "empty.dcm").write_bytes(b"")
    (tmp_path / "text.dcm").write_text("this is no image " * 50)
    (tmp_path / "cut.dcm").write_bytes(whole.read_bytes()[:-4])
    (tmp_path / "header.dcm").write_bytes(whole.read_bytes()[:400])
    report = pydicom.dcmread(whole)
    del report.PixelData
    report.file_meta.MediaStorageSOPClassUID = report.SOPClassUID = pydicom.uid.BasicTextSRStorage
    report.save_as(tmp_path / "report.dcm")
    for name, reason in {
        "empty.dcm": "",
        "text.dcm": "no pixel data",
        "cut.dcm": "6 bytes of pixels",
        "header.dcm": "no pixel data",
        "report.dcm": "Basic Text SR",
        "absent.dcm": "no such file",
        "absent.png": "no such file",
    }.items():
        with pytest.raises(CxrError, match=f"{name}.*{reason}") as caught:
            read(tmp_path / name)
        assert "\n" not in str(caught.value)
    with pytest.raises(CxrError, match="folder"):
        read(tmp_path)
    with pytest.raises(CxrError, match="one file, got 2"):
        reader = CxrReader()
        reader.get_data(reader.read([whole, whole]))
    with pytest.raises(CxrError, match="swap_ij"):
        CxrReader(swap_ij=True)


def test_non_finite_rescale_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CxrError, match="finite"):
        read(edit(line(tmp_path), RescaleSlope="1e400"))


@pytest.mark.parametrize("name", ["implicit", "explicit", "deflated", "rle", "jpeg_lossless", "jpeg_ls", "jpeg2000"])
def test_damaged_files_are_read_or_refused(tmp_path: Path, name: str) -> None:
    """300 seeded mutants over the syntaxes: an image or a CxrError, and no other end."""
    path, mutant = tmp_path / "a.dcm", tmp_path / "mutant.dcm"
    write_dx(path, scene((61, 53)), transfer_syntax=name, window=(2000, 1000), padding_value=0, uid_seed="1")
    content = np.frombuffer(path.read_bytes(), np.uint8)
    rng = np.random.default_rng(0)
    for _ in range(43):
        changed = content.copy()
        places = rng.integers(0, len(content) if rng.random() < 0.5 else 1500, rng.integers(1, 6))
        changed[places % len(content)] = rng.integers(0, 256, len(places))
        mutant.write_bytes(changed[: len(changed) if rng.random() < 0.8 else rng.integers(1, len(changed))].tobytes())
        for decode_size in (None, 20):
            try:
                image, _ = read(mutant, decode_size=decode_size)
            except CxrError as error:
                assert "mutant.dcm" in str(error)
            else:
                assert image.dtype == np.float32 and image.ndim == 2 and np.isfinite(image).all()


def readers() -> list[Any]:
    return [PictureReader(), CxrReader(), StoreReader()]


def test_stock_load_imaged_gives_rows_first_for_every_format(tmp_path: Path) -> None:
    pixels = scene((60, 40))
    write_dx(tmp_path / "a.dcm", pixels, photometric="MONOCHROME1", uid_seed="1")
    Image.fromarray(pixels.astype(np.uint16)).save(tmp_path / "a.png")
    load = LoadImaged(keys="image", reader=readers())
    images = [load({"image": str(tmp_path / name)})["image"] for name in ("a.dcm", "a.png")]
    for image in images:
        assert tuple(image.shape) == (60, 40)
        np.testing.assert_array_equal(image.numpy(), pixels.astype(np.float32))


def test_a_damaged_file_is_no_other_readers_business(tmp_path: Path) -> None:
    """Stock PydicomReader would read the frames of a two-frame file; LoadImaged must not get that far."""
    path = edit(line(tmp_path), NumberOfFrames=2, PixelData=LINE.tobytes() * 2)
    with pytest.raises(CxrError, match=r"line\.dcm.*2 frames"):
        LoadImage(reader=readers())(str(path))
    assert isinstance(CxrReader(), PydicomReader)


def test_meta_of_different_files_collates(tmp_path: Path) -> None:
    write_dx(tmp_path / "a.dcm", scene((60, 40)), spacing=None, uid_seed="1", tags={"ViewPosition": "PA"})
    write_dx(tmp_path / "b.dcm", scene((60, 40)), padding_value=0, photometric="MONOCHROME1", uid_seed="2")
    load = LoadImaged(keys="image", reader=readers())
    batch = list_data_collate([load({"image": str(tmp_path / name)}) for name in ("a.dcm", "b.dcm")])
    assert tuple(batch["image"].shape) == (2, 60, 40) and batch["image"].meta["view"] == ["PA", "unknown"]


def test_content_says_more_than_the_name(tmp_path: Path) -> None:
    """A PNG with a DICOM's name, and a DICOM file with a PNG's."""
    pixels = scene((30, 20), 8)
    Image.fromarray(pixels).save(tmp_path / "a.dcm", format="PNG")
    write_dx(tmp_path / "b.dcm", pixels, bits_stored=8, uid_seed="1")
    (tmp_path / "b.dcm").rename(tmp_path / "b.png")
    load = LoadImage(reader=readers())
    for name in ("a.dcm", "b.png"):
        np.testing.assert_array_equal(load(str(tmp_path / name)).numpy(), pixels)


@pytest.mark.parametrize(
    ("modality", "accepted"), [("CT", False), ("US", False), ("CR", True), ("", True), ("XR", True)]
)
def test_an_image_of_another_modality_is_refused(tmp_path: Path, modality: str, accepted: bool) -> None:
    path = edit(line(tmp_path), Modality=modality)
    if accepted:
        assert read(path)[0].shape == LINE.shape
    else:
        with pytest.raises(CxrError, match=f"line.dcm.*it is a {modality} image"):
            read(path)


def test_signed_8_bit_values_are_resized(tmp_path: Path) -> None:
    """Two halves, -100 and 60, at half the size."""
    values = np.repeat(np.array([[-100, 60]], np.int8), 4, axis=1).repeat(8, axis=0)
    write_dx(tmp_path / "a.dcm", values.view(np.uint8), bits_stored=8, uid_seed="1")
    path = edit(tmp_path / "a.dcm", PixelRepresentation=1)
    image, _ = read(path, decode_size=4)
    np.testing.assert_array_equal(image, [[-100, -100, 60, 60]] * 4)
