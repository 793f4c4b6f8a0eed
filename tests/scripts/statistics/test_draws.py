"""Draws of patients: sums, means and maps against the repeated images, and that they stay small."""

from __future__ import annotations

import numpy as np
import pytest

from scripts.statistics.draws import Draws, Floats
from scripts.statistics.estimate import estimate

PATIENTS = ["a", "a", "b", "c", "c", "c"]


def weights_of(draws: Draws) -> Floats:
    return draws.map(lambda weights: weights)


def test_the_first_draw_is_the_images_as_they_are() -> None:
    assert weights_of(Draws.of(PATIENTS, 5))[0].tolist() == [1] * 6
    assert weights_of(Draws.once(3)).tolist() == [[1, 1, 1]]
    assert weights_of(Draws.of(["p"] * 4, 100)).tolist() == [[1] * 4]  # of one patient nothing can be drawn


def test_patients_stay_together_and_the_seed_decides() -> None:
    weights = weights_of(Draws.of(PATIENTS, 50, seed=7))
    assert weights.shape == (51, 6)
    assert (weights[:, 0] == weights[:, 1]).all()
    assert (weights[:, 3] == weights[:, 5]).all()
    assert (weights[:, [0, 2, 3]].sum(axis=1) == 3).all()
    np.testing.assert_array_equal(weights, weights_of(Draws.of(PATIENTS, 50, seed=7)))
    assert (weights != weights_of(Draws.of(PATIENTS, 50, seed=8))).any()


def test_the_draws_are_numpys_multinomial_whatever_is_made_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = np.random.default_rng(3).multinomial(40, np.full(40, 1 / 40), 200)
    monkeypatch.setattr("scripts.statistics.draws.CHUNK", 300)
    draws = Draws.of([f"{i:02}" for i in range(40)], 200, seed=3)
    np.testing.assert_array_equal(draws.counts[1:], expected)
    assert draws.counts.dtype == np.uint8


@pytest.mark.parametrize("part", [slice(None), np.array([True, False] * 30), np.array([3, 3, 59, 0])])
def test_sums_and_means_are_those_of_the_repeated_images(
    part: slice | np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    values, draws = rng.normal(size=(60, 2)), Draws.of(rng.integers(0, 20, 60), 30)
    monkeypatch.setattr("scripts.statistics.draws.CHUNK", 100)  # a few draws at a time
    some, kept = draws[part], values[part]
    repeated = [np.repeat(kept, w.astype(int), axis=0) for w in weights_of(some)]
    np.testing.assert_allclose(some.total(kept), [one.sum(axis=0) for one in repeated], atol=1e-12)
    np.testing.assert_allclose(some.size(), [len(one) for one in repeated])
    means = [one[:, 0].mean() if len(one) else np.nan for one in repeated]
    np.testing.assert_allclose(some.mean(kept[:, 0]), means, atol=1e-12)


def test_clustering_widens_the_interval_of_repeated_images() -> None:
    values = np.random.default_rng(0).normal(size=60)
    ten_each = np.repeat(values, 10)

    def width(patients: np.ndarray) -> float:
        found = estimate(Draws.of(patients).mean(ten_each))
        assert found.lo is not None and found.hi is not None
        return found.hi - found.lo

    # Ten copies of an image hold no more than one: the right interval is sqrt(10) times the naive one.
    assert width(np.repeat(np.arange(60), 10)) / width(np.arange(600)) == pytest.approx(np.sqrt(10), rel=0.15)


def test_a_thousand_draws_of_a_large_archive_are_small() -> None:
    """377,110 images of 65,379 patients, as MIMIC-CXR has: a byte a patient and draw."""
    draws = Draws.of(np.arange(377_110) % 65_379, 4)
    assert draws.images == 377_110
    assert draws.counts.nbytes / len(draws) == 65_379
    assert draws[np.arange(10)].counts is draws.counts  # a part shares them
