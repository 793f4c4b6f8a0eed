"""Pointing and contrast on maps that can be written down."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from scripts.metrics import grounding_scores, point
from scripts.metrics.grounding import box_mask

HEAT = np.zeros((10, 20))
HEAT[2, 5] = 1.0


@pytest.mark.parametrize(
    ("boxes", "hit", "area", "centre"),
    [
        ([[5, 2, 6, 3]], 1, 1 / 200, 0),
        ([[0, 0, 5, 10]], 0, 50 / 200, 0),
        ([[0, 0, 2, 2], [4, 1, 10, 5]], 1, 28 / 200, 1),
        ([[0, 0, 20, 10]], 1, 1, 1),
        ([[-5, -5, 2, 2]], 0, 4 / 200, 0),
    ],
    ids=["on it", "beside it", "in one of two", "everywhere", "over the edge"],
)
def test_the_largest_value_points(boxes: list[list[float]], hit: float, area: float, centre: float) -> None:
    found = point(HEAT, boxes)
    assert (found.hit, found.area, found.centre) == (hit, pytest.approx(area), centre)


def test_a_constant_map_points_at_random() -> None:
    found = point(np.ones((10, 10)), [[0, 0, 5, 4]])
    assert found.hit == found.area == pytest.approx(0.2)
    assert found.contrast == 0


def test_contrast_is_the_difference_of_means_over_the_noise() -> None:
    heat = np.array([[3.0, 5.0], [0.0, 2.0]])
    # Inside 3, 5: mean 4, variance 1. Outside 0, 2: mean 1, variance 1.
    assert point(heat, [[0, 0, 2, 1]]).contrast == pytest.approx(3 / np.sqrt(2))
    assert point(-heat, [[0, 0, 2, 1]]).contrast == pytest.approx(-3 / np.sqrt(2))
    assert point(heat, [[0, 0, 2, 2]]).contrast == 0


@pytest.mark.parametrize(
    ("box", "pixels"),
    [([0.4, 0.4, 1.6, 1.6], 4), ([0.6, 0.6, 0.9, 0.9], 1), ([2.6, 2.6, 2.9, 2.9], 1), ([0, 0, 3, 3], 9)],
)
def test_a_small_box_keeps_a_pixel(box: list[float], pixels: int) -> None:
    assert box_mask([box], (3, 3)).sum() == pixels


def test_findings_count_alike() -> None:
    table = pd.DataFrame(
        {
            "finding": ["a", "a", "a", "b"],
            "hit": [1, 1, 0, 0],
            "contrast": [1.0, 2.0, 0.0, -1.0],
            "area": [0.1, 0.2, 0.3, 0.4],
            "centre": [0, 0, 0, 1],
        }
    )
    found = grounding_scores(table, list("wxyz"), resamples=50)
    assert list(found) == ["macro", "a", "b"]
    assert found["a"].hit.value == pytest.approx(2 / 3)
    assert found["a"].hit.trivial == pytest.approx(0.2)
    assert found["macro"].hit.value == pytest.approx((2 / 3 + 0) / 2)
    assert found["macro"].hit.trivial == pytest.approx((0.2 + 0.4) / 2)
    assert found["macro"].over_centre.value == pytest.approx((2 / 3 - 1) / 2)
    assert found["macro"].contrast.value == pytest.approx((1 - 1) / 2)
    assert [found[name].pairs for name in found] == [4, 3, 1]
    assert found["a"].hit.lo is not None and found["a"].hit.lo <= 2 / 3 <= (found["a"].hit.hi or 0)
