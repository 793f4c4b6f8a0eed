"""Patient-clustered bootstrap against scikit-learn and hand-computed cases."""

from __future__ import annotations

import time

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from scripts.errors import CxrError
from scripts.metrics import (
    auroc,
    paired_difference,
    patient_weights,
    percentile_interval,
    weighted_auroc,
    weighted_mean,
)


@pytest.mark.parametrize("levels", [3, 20, None], ids=["heavy ties", "ties", "continuous"])
def test_auroc_equals_sklearn(levels):
    rng = np.random.default_rng(0)
    labels, scores = rng.integers(0, 2, 300), rng.normal(size=300)
    scores = scores if levels is None else np.round(scores * levels / 3)
    assert auroc(labels, scores) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)


def test_weighted_auroc_equals_sklearn_on_the_resampled_images():
    rng = np.random.default_rng(1)
    labels, scores, groups = rng.integers(0, 2, 120), np.round(rng.normal(size=120), 1), np.arange(120) // 3
    weights = patient_weights(groups, 20, seed=3)
    expected = [roc_auc_score(np.repeat(labels, w), np.repeat(scores, w)) for w in weights.astype(int)]
    np.testing.assert_allclose(weighted_auroc(labels, scores, weights), expected, atol=1e-12)


def test_one_class_in_a_draw_is_nan_and_left_out_of_the_interval():
    draws = weighted_auroc([0, 1, 0], [0.1, 0.9, 0.5], np.array([[1.0, 0, 1], [1, 1, 1]]))
    assert np.isnan(draws[0])
    assert draws[1] == 1
    assert percentile_interval(draws) == (1, 1)


def test_draws_keep_patients_together_and_are_reproducible():
    groups = ["a", "a", "b", "c", "c", "c"]
    weights = patient_weights(groups, 50, seed=7)
    assert (weights[:, 0] == weights[:, 1]).all()
    assert (weights[:, 3] == weights[:, 5]).all()
    assert (weights[:, [0, 2, 3]].sum(axis=1) == 3).all()
    np.testing.assert_array_equal(weights, patient_weights(groups, 50, seed=7))


def test_clustering_widens_the_interval_of_repeated_images():
    values = np.random.default_rng(0).normal(size=60)
    ten_each = np.repeat(values, 10)

    def width(groups):
        lo, hi = percentile_interval(weighted_mean(ten_each, patient_weights(groups)))
        return hi - lo

    # Ten copies of an image hold no more than one: the right interval is sqrt(10) times the naive one.
    assert width(np.repeat(np.arange(60), 10)) / width(np.arange(600)) == pytest.approx(np.sqrt(10), rel=0.15)


def test_interval_of_a_mean_matches_the_normal_approximation():
    values = np.random.default_rng(0).normal(size=400)
    lo, hi = percentile_interval(weighted_mean(values, patient_weights(np.arange(400), 4000)))
    assert hi - lo == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.08)


def test_paired_difference():
    draws = np.random.default_rng(0).normal(0.7, 0.02, 999)
    same = paired_difference(0.0, draws, draws)
    better = paired_difference(0.1, draws, draws + 0.1)
    assert same.p == 1
    assert [better.lo, better.hi] == pytest.approx([0.1, 0.1])
    assert better.p == pytest.approx(2 / 1000)


def test_thousand_resamples_of_fourteen_classes_take_seconds():
    rng = np.random.default_rng(0)
    start = time.perf_counter()
    weights = patient_weights(rng.integers(0, 500, 800), 1000)
    for _ in range(14):
        weighted_auroc(rng.integers(0, 2, 800), rng.normal(size=800), weights)
    assert time.perf_counter() - start < 5


def test_one_patient_is_refused():
    with pytest.raises(CxrError, match="at least 2 patients"):
        patient_weights(["a", "a"])
