"""Pointing and contrast on maps that can be written down."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from scripts.metrics.pointing import box_mask, grounding_scores, point

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
    assert [found.hit, found.area, found.centre] == pytest.approx([hit, area, centre])


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


def rows(finding: str, hits: list[int], area: float, centre: int) -> pd.DataFrame:
    """Contrasts are 1, 2, 3, …"""
    facts = {"finding": finding, "area": area, "centre": centre}
    return pd.DataFrame([{"hit": hit, "contrast": i + 1.0, **facts} for i, hit in enumerate(hits)])


def test_findings_count_alike() -> None:
    table = pd.concat([rows("a", [1, 1, 1, 0, 0], 0.1, 0), rows("b", [0] * 10, 0.3, 1)])
    found = grounding_scores(table, range(15), resamples=200)
    assert list(found) == ["macro", "a", "b"]
    assert found["a"].hit.value == pytest.approx(0.6)
    assert found["a"].hit.trivial == pytest.approx(0.1)
    assert found["macro"].hit.value == pytest.approx((0.6 + 0) / 2)
    assert found["macro"].hit.trivial == pytest.approx((0.1 + 0.3) / 2)
    assert found["macro"].over_centre.value == pytest.approx((0.6 - 1) / 2)
    assert found["macro"].contrast.value == pytest.approx((3 + 5.5) / 2)
    assert [found[name].pairs for name in found] == [15, 5, 10]
    assert found["a"].hit.lo is not None and found["a"].hit.lo <= 0.6 <= (found["a"].hit.hi or 0)


def test_a_single_box_does_not_decide_the_mean() -> None:
    table = pd.concat([rows("a", [1, 1, 1, 0, 0], 0.1, 0), rows("rare", [0], 0.5, 0)])
    found = grounding_scores(table, range(6), resamples=200)
    assert found["macro"].hit.value == pytest.approx(0.6)
    assert found["macro"].hit.reason == "over 1 of 2 findings"
    assert (found["rare"].hit.value, found["rare"].hit.lo) == (0, None)
    alone = grounding_scores(rows("rare", [1], 0.5, 0), [0])
    assert alone["macro"].hit.value == 1
