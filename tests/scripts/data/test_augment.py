"""The augmentation against cases whose result is known."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from scripts.data.augment import RandRadiographd, warp_boxes
from scripts.data.box_transforms import BoxesToSquared
from scripts.data.masks import LoadMasksd

Item = dict[Hashable, Any]
STILL = {"rotate": 0.0, "zoom": (1.0, 1.0), "shift": 0.0, "gamma": (1.0, 1.0), "contrast": 0.0}


@pytest.fixture
def image() -> torch.Tensor:
    return torch.rand(1, 40, 60, generator=torch.Generator().manual_seed(0))


def test_with_every_range_closed_nothing_changes(image: torch.Tensor) -> None:
    result = RandRadiographd("image", **STILL)({"image": image})["image"]  # type: ignore[arg-type]
    torch.testing.assert_close(result, image)


@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_gamma_is_the_power(image: torch.Tensor, gamma: float) -> None:
    transform = RandRadiographd("image", **(STILL | {"gamma": (gamma, gamma)}))  # type: ignore[arg-type]
    torch.testing.assert_close(transform({"image": image})["image"], image**gamma)


def test_a_zoom_of_two_shows_the_central_half() -> None:
    square = torch.zeros(1, 41, 41)
    square[0, 16:25, 16:25] = 1  # 9 pixels about the centre 20
    result = RandRadiographd("image", **(STILL | {"zoom": (2.0, 2.0)}))({"image": square})["image"]  # type: ignore[arg-type]
    rows = np.flatnonzero(result[0, 20] > 0.5)
    assert (rows[0], rows[-1]) == (12, 28)  # the edges at 15.5 and 24.5 move to 11 and 29


def test_seeded_alike_it_gives_alike_and_stays_in_range(image: torch.Tensor) -> None:
    transform = RandRadiographd("image")
    results = [transform.set_random_state(seed=seed)({"image": image})["image"] for seed in (1, 1, 2)]
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])
    assert results[0].shape == image.shape
    assert results[0].dtype == torch.float32
    assert results[0].min() >= 0
    assert results[0].max() <= 1


def test_prob_zero_passes_the_image_on(image: torch.Tensor) -> None:
    assert RandRadiographd("image", prob=0.0)({"image": image})["image"] is image


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("shape", ["rectangle", "ellipse"])
def test_a_box_and_the_mask_of_its_shape_stay_together(tmp_path: Path, seed: int, shape: str) -> None:
    """From the files of an upright or a broad image to the augmented square; the drawn image goes with them.

    A turned box is that of the ellipse in it, so rectangles are not turned here.
    """
    rng = np.random.default_rng(seed)
    height, width = [(300, 200), (200, 300)][seed % 2]
    x0, y0 = rng.integers(20, 100), rng.integers(20, 100)
    box = [x0, y0, x0 + rng.integers(40, 90), y0 + rng.integers(40, 90)]
    y, x = np.mgrid[0:height, 0:width] + 0.5
    across, down = (2 * (x - x0) / (box[2] - x0) - 1), (2 * (y - y0) / (box[3] - y0) - 1)
    inside = np.maximum(abs(across), abs(down)) if shape == "rectangle" else np.hypot(across, down)
    drawn = np.where(inside < 1, 255, 0).astype(np.uint8)
    Image.fromarray(drawn).save(tmp_path / "mask.png")
    item: Item = {
        "box": [box],
        "names": [4],
        "mask": [str(tmp_path / "mask.png"), ""],
        "height": height,
        "width": width,
    }
    item = BoxesToSquared(224, "box", "names")(LoadMasksd("mask", 224)(item))
    item["image"] = item["mask"][:1].clone()
    angle = 0 if shape == "rectangle" else 20
    keys = {"mask_key": "mask", "box_key": "box", "label_key": "names"}
    augment = RandRadiographd("image", rotate=angle, gamma=(1, 1), contrast=0, **keys)  # type: ignore[arg-type]
    item = augment.set_random_state(seed=seed)(item)
    assert item["names"].tolist() == [4]
    for picture in (item["mask"][0], item["image"][0] > 0.5):
        rows, columns = np.nonzero(np.asarray(picture))
        extent = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        np.testing.assert_allclose(item["box"][0], extent, atol=1.5)
    assert set(item["mask"][0].unique().tolist()) == {0, 1}
    assert (item["mask"][1] == -1).all()


def test_without_masks_and_boxes_the_image_is_the_same(image: torch.Tensor) -> None:
    alone = RandRadiographd("image").set_random_state(seed=7)({"image": image})["image"]
    item = {"image": image, "label": torch.ones(2, 40, 60), "box": torch.zeros(0, 4), "names": torch.zeros(0).long()}
    both = RandRadiographd("image", mask_key="label", box_key="box", label_key="names").set_random_state(seed=7)(item)
    assert torch.equal(alone, both["image"])
    assert both["box"].shape == (0, 4)
    assert both["names"].shape == (0,)
    assert image.equal(item["image"])  # the item that came in is left as it was
    assert item["label"].all()


def test_a_shift_takes_masks_along_and_nothing_enters_at_the_border() -> None:
    moved = RandRadiographd("image", **STILL, mask_key="label")  # type: ignore[arg-type]
    moved.shift = 0.25

    class Down:
        def uniform(self, low: float, high: float, size: int | None = None) -> object:
            return np.array([0.0, 1.0, 0.0]) if size == 3 else low

        def rand(self) -> float:
            return 0.0

    moved.R = Down()  # type: ignore[assignment]
    found = moved({"image": torch.ones(1, 8, 8), "label": torch.stack([torch.ones(8, 8), torch.full((8, 8), -1.0)])})
    np.testing.assert_array_equal(found["label"][0][:, 3], [0, 0, 1, 1, 1, 1, 1, 1])
    assert (found["label"][1] == -1).all()


def test_a_box_that_leaves_the_picture_takes_its_label_along() -> None:
    """Shifted by half the side to the right, where all keep enough, and to the left; areas by hand."""
    boxes = torch.tensor([[10.0, 40, 60, 60], [5, 0, 65, 10], [0, 0, 40, 10]])
    shift = np.array([[1.0, 0, 50], [0, 1, 0]])
    moved, kept = warp_boxes(boxes, shift, 100, 100)
    assert kept.tolist() == [0, 1, 2]
    assert moved.tolist() == [[60, 40, 100, 60], [55, 0, 100, 10], [50, 0, 90, 10]]
    moved, kept = warp_boxes(boxes, np.array([[1.0, 0, -50], [0, 1, 0]]), 100, 100)
    assert kept.tolist() == [1]  # 10 of 50, 15 of 60, 0 of 40 columns
    assert moved.tolist() == [[0, 0, 15, 10]]


def test_a_quarter_turn_of_a_box() -> None:
    """About the middle of 100 x 100 pixels, whose pixel centres count from 0 to 99; edges from 0 to 100."""
    quarter = np.array([[0.0, 1, 0], [-1, 0, 99]])
    moved, _ = warp_boxes(torch.tensor([[10.0, 20, 30, 60]]), quarter, 100, 100)
    assert moved.tolist() == [[20, 70, 60, 90]]
