"""HD95 by hand and against MONAI, with equal and unequal spacing."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from monai.metrics import compute_hausdorff_distance

from scripts.metrics import hausdorff
from scripts.metrics.hausdorff import hausdorff95


def disc(size: int, row: float, column: float, radius: float) -> np.ndarray:
    rows, columns = np.mgrid[:size, :size]
    return (rows - row) ** 2 + (columns - column) ** 2 <= radius**2


def test_by_hand() -> None:
    """Two columns of pixels, three pixels apart, each pixel 2 mm wide: every distance is 6 mm."""
    first, second = np.zeros((10, 10), bool), np.zeros((10, 10), bool)
    first[2:8, 2], second[2:8, 5] = True, True
    assert hausdorff95(first, second, (1.0, 2.0)) == 6
    assert hausdorff95(first, second) == 3
    assert hausdorff95(first, first) == 0


@pytest.mark.parametrize("spacing", [(1.0, 1.0), (0.7, 0.7), (0.5, 1.3)], ids=str)
@pytest.mark.parametrize("speckle", [0.0, 0.2], ids=["clean", "speckled"])
@pytest.mark.parametrize("seed", range(4))
def test_it_is_monai_s(seed: int, speckle: float, spacing: tuple[float, float]) -> None:
    rng = np.random.default_rng(seed)
    places = zip(*rng.uniform(8, 40, (2, 4)), rng.uniform(4, 20, 4))
    blob = [disc(48, row, column, radius) for row, column, radius in places]  # some cut by the border
    first, second = blob[0] | blob[1] | (rng.random((48, 48)) < speckle), blob[2] | blob[3]
    pair = [torch.from_numpy(mask)[None, None] for mask in (first, second)]
    expected = compute_hausdorff_distance(*pair, include_background=True, percentile=95, spacing=list(spacing)).item()
    assert hausdorff95(first, second, spacing) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("first", "second"), [(0, 0), (0, 5), (5, 0)], ids=["both", "prediction", "truth"])
def test_an_empty_mask_has_no_distance(first: int, second: int) -> None:
    prediction, truth = (disc(16, 8, 8, radius) & (radius > 0) for radius in (first, second))
    assert math.isnan(hausdorff95(prediction, truth))


def test_a_large_image_takes_the_tree_and_agrees(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of clean edges only their pixels are looked at: a distance map of all pixels takes a hundred times as long."""

    def no_map(*_: object, **__: object) -> None:
        raise AssertionError("a distance map of the whole image")

    monkeypatch.setattr(hausdorff, "distance_transform_edt", no_map)
    first, second = disc(1024, 500, 500, 400), disc(1024, 520, 480, 410)
    pair = [torch.from_numpy(mask)[None, None] for mask in (first, second)]
    expected = compute_hausdorff_distance(*pair, include_background=True, percentile=95, spacing=[0.14, 0.14]).item()
    assert hausdorff95(first, second, (0.14, 0.14)) == pytest.approx(expected, rel=1e-5)
