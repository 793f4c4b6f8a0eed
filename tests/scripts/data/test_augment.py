"""The augmentation against cases whose result is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from scripts.data.augment import RandRadiographd

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
    assert 0 <= results[0].min() and results[0].max() <= 1


def test_prob_zero_passes_the_image_on(image: torch.Tensor) -> None:
    assert RandRadiographd("image", prob=0.0)({"image": image})["image"] is image
