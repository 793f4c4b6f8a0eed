"""FROC by hand, and over draws."""

from __future__ import annotations

import numpy as np
import pytest

from scripts.statistics.draws import Draws
from scripts.tasks.detection.average_precision import Matches
from scripts.tasks.detection.froc import froc_curve, pool_classes, weighted_sensitivity


@pytest.fixture
def matches():
    """Four images, four true boxes; ranking: hit, false, hit, and, tied, hit and false; the fourth image is healthy."""
    return Matches(
        np.array([0, 3, 1, 2, 3]),
        np.array([0.9, 0.8, 0.7, 0.5, 0.5]),
        np.array([[True, False, True, True, False]]),
        np.array([1, 1, 2, 0]),
    )


def test_curve_by_hand(matches):
    curve = froc_curve(matches)
    np.testing.assert_allclose(curve.false_positives, [0, 0.25, 0.25, 0.5])
    np.testing.assert_allclose(curve.sensitivity, [0.25, 0.25, 0.5, 0.75])
    np.testing.assert_allclose(curve.threshold, [0.9, 0.8, 0.7, 0.5])


def test_sensitivity_at_a_rate_by_hand(matches):
    found = weighted_sensitivity(matches, Draws.once(4), [0.0, 0.25, 0.49, 0.5, 2.0])
    # At .49 the tied pair would bring a second false alarm, so none of it counts.
    np.testing.assert_allclose(found, [[0.25, 0.5, 0.5, 0.75, 0.75]])


def test_a_weight_is_a_repeated_image(matches):
    draws = Draws.of_weights([[1, 1, 1, 0], [2, 0, 0, 2], [0, 0, 0, 1], [1, 1, 1, 3]])
    found = weighted_sensitivity(matches, draws, [0.5, 1.0])
    # 1: no false alarm left. 2: two hits of two, four images with two false alarms each time. 4: 3 of 6 images, 6 of 6.
    np.testing.assert_allclose(found, np.array([[0.75, 0.75], [1, 1], [np.nan, np.nan], [0.5, 0.75]]))


def test_chunks_do_not_change_the_draws(matches, monkeypatch):
    draws = Draws.of_weights(np.random.default_rng(0).poisson(1, (40, 4)))
    expected = weighted_sensitivity(matches, draws)
    monkeypatch.setattr("scripts.statistics.draws.CHUNK", 12)
    np.testing.assert_array_equal(weighted_sensitivity(matches, draws), expected)


def test_classes_are_pooled_into_one_ranking(matches):
    other = Matches(np.array([1]), np.array([0.95]), np.array([[False]]), np.array([0, 0, 0, 1]))
    pooled = pool_classes([matches, other])
    assert pooled.score.tolist() == [0.95, 0.9, 0.8, 0.7, 0.5, 0.5]
    assert pooled.truths.tolist() == [1, 1, 2, 1]
    np.testing.assert_allclose(weighted_sensitivity(pooled, Draws.once(4), [0.0, 0.25]), [[0, 0.2]])


def test_without_detections_nothing_is_found():
    none = Matches(np.zeros(0, dtype=int), np.zeros(0), np.zeros((1, 0), dtype=bool), np.array([1, 0]))
    assert weighted_sensitivity(none, Draws.of_weights(np.ones((2, 2))), [1.0]).tolist() == [[0.0], [0.0]]
    assert len(froc_curve(none).threshold) == 0
