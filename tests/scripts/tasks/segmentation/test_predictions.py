"""Masks of inference: known rectangles, read back by other libraries, at the size of the original."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import nibabel as nib
import numpy as np
import pytest
import torch
from monai.data import DataLoader
from monai.engines import SupervisedEvaluator
from torch import nn

from scripts.data.masks import decode_rle
from scripts.errors import CxrError
from scripts.tasks.segmentation.mask_files import encode_rle, write_nifti
from scripts.tasks.segmentation.predictions import MaskWriter

NAMES = ["left lung", "heart"]
# An image of 40 rows and 20 columns lies in the columns 10 to 30 of its square of 40 pixels, at its own scale.
ROWS, COLUMNS = slice(5, 15), slice(12, 22)


class Rectangles(nn.Module):
    """`left lung` on ROWS x COLUMNS of the square (in the image: columns 2 to 12), `heart` on its lower half."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        logits = torch.full((len(image), 2, 40, 40), -9.0)
        logits[:, 0, ROWS, COLUMNS] = 2.0
        logits[:, 1, 10:15, COLUMNS] = 4.0
        return logits


def write(
    folder: Path, decollate: bool = False, sizes: tuple[tuple[int, int], ...] = ((40, 20),), **options: Any
) -> Any:
    data = [
        {
            "image": torch.rand(3, 40, 40), "image_id": f"case {i}", "height": height, "width": width,
            "spacing": np.array([0.5, 0.2], np.float32) if i == 0 else np.full(2, np.nan, np.float32),
        }
        for i, (height, width) in enumerate(sizes)
    ]  # fmt: skip
    SupervisedEvaluator(
        device=torch.device("cpu"),
        val_data_loader=DataLoader(data, batch_size=2, num_workers=0),
        network=Rectangles(),
        prepare_batch=lambda batch, device, non_blocking, **_: (batch["image"], None),
        val_handlers=[MaskWriter(str(folder), NAMES, **options)],
        decollate=decollate,
    ).run()
    return json.loads((folder / "predictions.json").read_text())


def nifti(path: Path) -> Any:
    return nib.load(path)


def expected() -> tuple[np.ndarray, np.ndarray]:
    lung, heart = np.zeros((40, 20), bool), np.zeros((40, 20), bool)
    lung[5:15, 2:12] = True
    heart[10:15, 2:12] = True
    return lung, heart


@pytest.mark.parametrize("decollate", [False, True])
@pytest.mark.parametrize("form", ["png", "rle", "nifti"])
def test_a_mask_lies_where_it_was_predicted(tmp_path: Path, form: str, decollate: bool) -> None:
    content = write(tmp_path, decollate, format=form)
    (row,) = content["images"]
    assert (row["height"], row["width"]) == (40, 20)
    assert row["spacing_mm"] == pytest.approx([0.5, 0.2])
    assert [mask["name"] for mask in row["masks"]] == NAMES
    for entry, mask, pixels in zip(row["masks"], expected(), (100, 50), strict=True):
        assert entry["area_pixels"] == pixels
        assert entry["area_mm2"] == pytest.approx(pixels * 0.1, rel=1e-6)
        if form == "rle":
            np.testing.assert_array_equal(decode_rle(entry["rle"], (40, 20)), mask)
            continue
        path = tmp_path / entry["file"]
        if form == "png":
            np.testing.assert_array_equal(cv2.imread(str(path), cv2.IMREAD_UNCHANGED), mask * 255)
        else:
            volume = nifti(path)
            assert volume.shape == (20, 40, 1)
            assert volume.header.get_zooms() == pytest.approx((0.2, 0.5, 1.0))
            np.testing.assert_array_equal(np.asarray(volume.dataobj)[..., 0].T, mask)
    assert len(list(tmp_path.glob("masks/*"))) == (0 if form == "rle" else 2)
    assert not list(tmp_path.rglob(".*"))


@pytest.mark.parametrize("form", ["png", "nifti"])
def test_a_label_map_gives_the_likeliest_name(tmp_path: Path, form: str) -> None:
    content = write(tmp_path, format=form, label_map=True)
    assert content["values"] == {"left lung": 1, "heart": 2}
    (row,) = content["images"]
    path = tmp_path / row["file"]
    values = cv2.imread(str(path), cv2.IMREAD_UNCHANGED) if form == "png" else np.asarray(nifti(path).dataobj)[..., 0].T
    lung, heart = expected()
    np.testing.assert_array_equal(values, np.where(heart, 2, lung.astype(int)))
    assert [mask["area_pixels"] for mask in row["masks"]] == [50, 50]


def test_thresholds_and_temperature_are_those_of_the_probability(tmp_path: Path) -> None:
    # sigmoid(2) = .881, sigmoid(4) = .982; sigmoid(2 / 4) = .622
    for options, pixels in (
        ({"threshold": 0.9}, [0, 50]),
        ({"threshold": {"heart": 0.99, "left lung": 0.88}}, [100, 0]),
        ({"threshold": [0.7, 0.7], "temperature": 4.0}, [0, 50]),
    ):
        content = write(tmp_path, **options)
        assert [mask["area_pixels"] for mask in content["images"][0]["masks"]] == pixels


def test_sizes_differ_within_a_batch_and_spacing_may_be_unknown(tmp_path: Path) -> None:
    content = write(tmp_path, sizes=((40, 20), (80, 40)), format="nifti", overlays=True)
    small, large = content["images"]
    assert large["spacing_mm"] is None
    assert [mask["area_mm2"] for mask in large["masks"]] == [None, None]
    mask = np.asarray(nifti(tmp_path / large["masks"][0]["file"]).dataobj)[..., 0].T
    assert mask.shape == (80, 40)
    twice = np.kron(expected()[0], np.ones((2, 2)))
    assert (mask != twice).sum() <= 4  # corners of the interpolated edge
    assert nifti(tmp_path / large["masks"][0]["file"]).header.get_xyzt_units()[0] == "unknown"
    assert small["masks"][0]["area_pixels"] == 100
    drawn = sorted(tmp_path.glob("overlays/*.png"))
    assert len(drawn) == 2
    picture: Any = cv2.imread(str(drawn[0]))
    assert picture.std() > 0


def test_what_cannot_be_right_is_said(tmp_path: Path) -> None:
    with pytest.raises(CxrError, match="The size of an original image is not known"):
        write(tmp_path, sizes=((0, 0),))
    with pytest.raises(CxrError, match="png, rle or nifti"):
        write(tmp_path, format="jpeg")
    with pytest.raises(CxrError, match="cannot be written as run lengths"):
        write(tmp_path, format="rle", label_map=True)


def test_run_lengths_by_hand() -> None:
    """Kaggle's form: from 1, down the columns."""
    mask = np.array([[0, 1, 1], [1, 1, 0]], bool)  # columns: 0 1 | 1 1 | 1 0
    assert encode_rle(mask) == "2 4"
    assert encode_rle(~mask) == "1 1 6 1"
    assert encode_rle(np.zeros((2, 3), bool)) == "-1"
    assert encode_rle(np.ones((2, 3), bool)) == "1 6"
    rng = np.random.default_rng(0)
    for shape in ((1, 1), (7, 3), (30, 41)):
        mask = rng.random(shape) > 0.5
        np.testing.assert_array_equal(decode_rle(encode_rle(mask), shape), mask)


def test_a_nifti_has_the_axes_of_itk(tmp_path: Path) -> None:
    """As SimpleITK 2.5.7 wrote this picture of 2 rows and 3 columns, spacing 0.2 mm in x and 0.5 in y."""
    values = np.arange(6, dtype=np.uint8).reshape(2, 3)
    write_nifti(values, tmp_path / "a.nii.gz", None, (0.5, 0.2))
    volume = nifti(tmp_path / "a.nii.gz")
    np.testing.assert_allclose(volume.affine[:2, :2], np.diag([-0.2, -0.5]))
    np.testing.assert_allclose(volume.affine[:3, 3], 0)
    assert np.asarray(volume.dataobj)[2, 0, 0] == 2 and np.asarray(volume.dataobj)[0, 1, 0] == 3
    assert volume.header.get_xyzt_units()[0] == "mm"
    again = tmp_path / "b.nii.gz"
    write_nifti(values, again, None, (0.5, 0.2))
    assert again.read_bytes() == (tmp_path / "a.nii.gz").read_bytes()
