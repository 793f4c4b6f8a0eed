"""A mask written as NIfTI lies on the radiograph as SimpleITK reads it: same size, spacing, origin and direction."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from monai.data import DataLoader
from monai.engines import SupervisedEvaluator
from monai.transforms import Compose, EnsureChannelFirstd, LoadImaged
from PIL import Image
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset
from torch import nn

from scripts.data.picture_reader import PictureReader
from scripts.data.reader import CxrReader
from scripts.data.sampling import StudyDataset
from scripts.data.standardize import StandardizeRadiographd
from scripts.data.store_reader import StoreReader
from scripts.tasks.segmentation.mask_files import write_nifti
from scripts.tasks.segmentation.predictions import MaskWriter

sitk = pytest.importorskip("SimpleITK", reason="SimpleITK is not installed (see the dev extra)")
sitk.ProcessObject.SetGlobalWarningDisplay(False)

SIZE = 32
CLASSES = {
    "CR": uid.ComputedRadiographyImageStorage,
    "DX": uid.DigitalXRayImageStorageForPresentation,
    "DX processing": uid.DigitalXRayImageStorageForProcessing,
    "MG": uid.DigitalMammographyXRayImageStorageForPresentation,
    "MG processing": uid.DigitalMammographyXRayImageStorageForProcessing,
    "IO": uid.DigitalIntraOralXRayImageStorageForPresentation,
    "IO processing": uid.DigitalIntraOralXRayImageStorageForProcessing,
    "XA": uid.XRayAngiographicImageStorage,
    "RF": uid.XRayRadiofluoroscopicImageStorage,
    "OT secondary capture": uid.SecondaryCaptureImageStorage,
    "OT bytes": uid.MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
    "OT words": uid.MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
    "DX photograph": uid.VLPhotographicImageStorage,
    "RTIMAGE": uid.RTImageStorage,
    "DX slice": uid.CTImageStorage,
    "CR none": None,
    "DX none": None,
    "MG none": None,
    "IO none": None,
    "OT none": None,
}
TAGS: dict[str, Any] = {
    "PixelSpacing": [0.2, 0.3],
    "ImagerPixelSpacing": [0.143, 0.5],
    "NominalScannedPixelSpacing": [0.6, 0.7],
    "ImagePlanePixelSpacing": [0.8, 0.9],
}
PLACE: dict[str, Any] = {
    "ImagePositionPatient": [10, 20.5, -30],
    "ImageOrientationPatient": [0, 1, 0, 0, 0, -1],
    "SpacingBetweenSlices": 9,
}
ODD: list[dict[str, Any]] = [
    PLACE,
    {"ImagePositionPatient": [10, 20.5, -30]},
    {"ImageOrientationPatient": [0.8, 0.6, 0, -0.6, 0.8, 0]},
    {"ImageOrientationPatient": [1, 0, 0, 0.0005, 1, 0]},
    {"ImageOrientationPatient": [1, 0, 0, 1, 0, 0]},
    {"ImageOrientationPatient": [0] * 6},
    {"SpacingBetweenSlices": -2},
    {"ImagerPixelSpacing": [0, 0], "PixelSpacing": [0, 0]},
    {"ImagerPixelSpacing": [0, 0.2], "PixelSpacing": [0, 0.2]},
    {"ImagerPixelSpacing": 0.3, "PixelSpacing": 0.3},
    {"ImagerPixelSpacing": None, "PixelSpacing": [0.2, 0.2]},
]
ODD_CLASSES = ("CR", "OT secondary capture", "OT words", "DX photograph", "RTIMAGE", "IO none")


def picture() -> np.ndarray:
    """12 rows, 16 columns, dark, with a bright field in the upper left: no turn leaves it as it is."""
    grey = np.full((12, 16), 20, np.uint8)
    grey[:4, :10] = 200
    return grey


def write_dicom(path: Path, name: str, tags: dict[str, Any]) -> None:
    ds, pixels = Dataset(), picture()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    if (sop_class := CLASSES[name]) is not None:
        ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = sop_class
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = uid.generate_uid(entropy_srcs=[str(path)])
    ds.Modality = name.split()[0]
    ds.Rows, ds.Columns, ds.SamplesPerPixel, ds.PhotometricInterpretation = *pixels.shape, 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 8, 8, 7, 0
    for keyword, value in tags.items():
        setattr(ds, keyword, value)
    ds.PixelData = pixels.tobytes()
    ds.save_as(path, enforce_file_format=False, implicit_vr=False, little_endian=True)
    content = path.read_bytes()
    if content[128:132] != b"DICM":
        path.write_bytes(bytes(128) + b"DICM" + content)


class Bright(nn.Module):
    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return 20 * (image[:, :1] - 0.5)


def predict(items: Iterable[dict[str, Any]], out: Path) -> list[dict[str, Any]]:
    """Entries of `predictions.json`, one an item, by the road of the configs."""
    load = Compose(
        [
            LoadImaged("image", reader=[PictureReader(), CxrReader(decode_size=SIZE), StoreReader()]),
            EnsureChannelFirstd("image"),
            StandardizeRadiographd("image", SIZE),
        ]
    )
    dataset = StudyDataset([dict(item) for item in items], load, unreadable="report", shape=(1, SIZE, SIZE))
    SupervisedEvaluator(
        device=torch.device("cpu"),
        val_data_loader=DataLoader(dataset, batch_size=7, num_workers=0),
        network=Bright(),
        prepare_batch=lambda batch, device, non_blocking, **_: (batch["image"], None),
        val_handlers=[MaskWriter(str(out), ["bright"], format="nifti")],
        decollate=False,
    ).run()
    return json.loads((out / "predictions.json").read_text())["images"]


def check(image: Any, mask: Any) -> None:
    """Equal geometry; a picture is two-dimensional for ITK, its mask three-dimensional."""
    d = image.GetDimension()
    assert mask.GetSize() == (*image.GetSize(), 1)[:3]
    np.testing.assert_allclose(mask.GetSpacing()[:d], image.GetSpacing(), rtol=1e-6)
    np.testing.assert_allclose(mask.GetOrigin()[:d], image.GetOrigin(), atol=1e-5)
    found = np.reshape(mask.GetDirection(), (3, 3))[:d, :d]
    np.testing.assert_allclose(found.ravel(), image.GetDirection(), atol=1e-6)


def test_dicom_of_every_class_and_tag(tmp_path: Path) -> None:
    subsets = [tags for count in range(4) for tags in combinations(list(TAGS)[:3], count)]
    cases = [{tag: TAGS[tag] for tag in tags} for tags in subsets] + [TAGS]
    files = [(name, tags) for name in CLASSES for tags in cases]
    files += [(name, TAGS | odd) for name in ODD_CLASSES for odd in ODD]
    (tmp_path / "in").mkdir()
    for i, (name, tags) in enumerate(files):
        write_dicom(tmp_path / "in" / f"{i}.dcm", name, tags)
    paths = [str(tmp_path / "in" / f"{i}.dcm") for i in range(len(files))]
    for (name, tags), path in zip(files, paths, strict=True):
        write_nifti(picture(), tmp_path / "mask.nii.gz", CxrReader().get_data([Path(path)])[1]["itk_affine"])
        try:
            check(sitk.ReadImage(path), sitk.ReadImage(str(tmp_path / "mask.nii.gz")))
        except AssertionError as error:
            raise AssertionError(f"{name} with {tags}: {error}") from error


def test_millimetres_stay_those_of_the_standard(tmp_path: Path) -> None:
    """Pixel Spacing is the calibrated one, for a CR as well, whose Imager Pixel Spacing is ITK's."""
    path = tmp_path / "a.dcm"
    write_dicom(path, "CR", {tag: TAGS[tag] for tag in ("PixelSpacing", "ImagerPixelSpacing")})
    (row,) = predict([{"image": str(path), "image_id": "a"}], tmp_path)
    (entry,) = row["masks"]
    check(sitk.ReadImage(str(path)), mask := sitk.ReadImage(str(tmp_path / entry["file"])))
    assert mask.GetSpacing()[:2] == pytest.approx((0.5, 0.143))
    assert row["spacing_mm"] == pytest.approx([0.2, 0.3])
    assert entry["area_mm2"] == pytest.approx(entry["area_pixels"] * 0.06)


@pytest.mark.parametrize("text", [b"abc\\0.2", b".1,5\\.25", b"nan\\0.25"])
def test_a_spacing_that_is_no_number_is_none(tmp_path: Path, text: bytes) -> None:
    """The file is read for all that, and the other tag stands in where there is one."""
    path = tmp_path / "a.dcm"
    for name, tags, expected in (
        ("OT secondary capture", {"PixelSpacing": [0.12, 0.2]}, [np.nan] * 2),
        ("CR", {"ImagerPixelSpacing": [0.12, 0.2]}, [np.nan] * 2),
        ("CR", {"PixelSpacing": [0.12, 0.2], "ImagerPixelSpacing": [0.3, 0.4]}, [0.3, 0.4]),
    ):
        write_dicom(path, name, tags)
        path.write_bytes(path.read_bytes().replace(b"0.12\\0.2", text.ljust(8)))
        meta = CxrReader().get_data([path])[1]
        assert text in path.read_bytes()
        np.testing.assert_array_equal([meta["spacing_y"], meta["spacing_x"]], expected)
        itk = np.diag([0.4, 0.3, 1, 1]) if len(tags) == 2 else np.eye(4)
        np.testing.assert_array_equal(meta["itk_affine"], itk)  # ITK's own is another number each time


def test_real_files(shared_data: Path, tmp_path: Path) -> None:
    paths = [str(path) for path in sorted((shared_data / "dicom").glob("*.dcm"))]
    rows = predict(({"image": path, "image_id": str(i)} for i, path in enumerate(paths)), tmp_path)
    assert len(rows) == 9
    for path, row in zip(paths, rows, strict=True):
        check(sitk.ReadImage(path), sitk.ReadImage(str(tmp_path / row["masks"][0]["file"])))
    # A CR with Pixel Spacing .2 alone, which ITK reads with 1.
    assert [row["spacing_mm"] for path, row in zip(paths, rows) if "RG2" in path] == [[pytest.approx(0.2)] * 2] * 2


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["png", "jpg", "tif"])
def test_a_turned_picture(tmp_path: Path, suffix: str, orientation: int) -> None:
    """ITK shows the stored rows (of a TIFF mirrored); the upright mask finds its place there by its directions."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(picture().repeat(8, 0).repeat(8, 1)).save(path, exif=exif, dpi=(100, 200))
    (row,) = predict([{"image": str(path), "image_id": "a"}], tmp_path)
    mask = sitk.ReadImage(str(tmp_path / row["masks"][0]["file"]))
    image = sitk.ReadImage(str(path))
    if orientation == 1:
        check(image, mask)
    image = sitk.JoinSeries(image)
    there = sitk.GetArrayFromImage(sitk.Resample(mask, image, sitk.Transform(), sitk.sitkNearestNeighbor))
    pixels = sitk.GetArrayFromImage(image)
    bright = (pixels[..., 0] if pixels.ndim == 4 else pixels) > 110
    assert bright.mean() == pytest.approx(40 / 192, abs=0.01)
    assert (there == bright).mean() > 0.98


@pytest.mark.parametrize(
    ("unit", "x", "y"), [(0, 2, 3), (1, 300, 100), (2, 10, 20), (1, 0, 0), (1, 0, 50), (3, 10, 20)]
)
def test_the_resolution_of_a_jpeg(tmp_path: Path, unit: int, x: int, y: int) -> None:
    path = tmp_path / "a.jpg"
    Image.fromarray(picture()).save(path)
    content = bytearray(path.read_bytes())
    start = content.index(b"JFIF\0") + 7
    content[start : start + 5] = struct.pack(">BHH", unit, x, y)
    path.write_bytes(content)
    (row,) = predict([{"image": str(path), "image_id": "a"}], tmp_path)
    check(sitk.ReadImage(str(path)), sitk.ReadImage(str(tmp_path / row["masks"][0]["file"])))
    assert row["spacing_mm"] is None


@pytest.mark.parametrize(
    "tags", [{}, {282: 10.0, 283: 20.0, 296: 2}, {282: 10.0, 283: 20.0, 296: 3}, {282: 9.0, 283: 9.0}]
)
def test_the_resolution_of_a_tiff(tmp_path: Path, tags: dict[int, Any]) -> None:
    path = tmp_path / "a.tif"
    Image.fromarray(picture()).save(path, tiffinfo=tags)
    (row,) = predict([{"image": str(path), "image_id": "a"}], tmp_path)
    check(sitk.ReadImage(str(path)), sitk.ReadImage(str(tmp_path / row["masks"][0]["file"])))
