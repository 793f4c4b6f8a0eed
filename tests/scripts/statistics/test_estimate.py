"""One rule from draws to a value with its interval, a difference, a band; by hand and by the normal approximation."""

from __future__ import annotations

import numpy as np
import pytest

from scripts.statistics.draws import Draws
from scripts.statistics.estimate import Difference, Estimate, estimate, estimate_band, estimate_difference

NAN = float("nan")
HUNDRED = np.linspace(0, 1, 101)  # its percentiles are their own numbers


def losing(share: int) -> np.ndarray:
    """The value, and a hundred draws of which so many lost the score."""
    return np.r_[0.7, np.full(share, NAN), np.full(100 - share, 0.7)]


def test_the_interval_is_of_the_draws_without_the_first() -> None:
    found = estimate(np.r_[9.0, HUNDRED], 0.5)
    assert (found.value, found.trivial, found.reason) == (9.0, 0.5, "")
    assert [found.lo, found.hi] == pytest.approx([0.025, 0.975])


def test_interval_of_a_mean_matches_the_normal_approximation() -> None:
    values = np.random.default_rng(0).normal(size=400)
    found = estimate(Draws.of(np.arange(400), 4000).mean(values))
    assert found.value == pytest.approx(values.mean())
    assert found.lo is not None and found.hi is not None
    assert found.hi - found.lo == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.08)


@pytest.mark.parametrize(("share", "reason"), [(25, ""), (26, "no interval: 26 % of the draws lost it")])
def test_a_quarter_of_the_draws_may_lack_the_score(share: int, reason: str) -> None:
    found = estimate(losing(share))
    assert (found.value, found.reason, found.lo is None) == (0.7, reason, bool(reason))


def test_a_mean_over_classes_lost_what_its_classes_lost_in_the_mean() -> None:
    whole = np.full(101, 0.5)
    assert estimate([whole, losing(37)]).lo is not None  # 18.5 %
    assert estimate([losing(37), losing(37)[::-1][np.r_[100, :100]]]).reason == "no interval: 37 % of the draws lost it"
    # A class that is not scored is no part of the mean.
    assert estimate([whole, np.full(101, NAN)]) == Estimate(0.5, 0.5, 0.5)
    assert estimate([whole, losing(10)]).value == pytest.approx(0.6)


def test_what_has_no_value_or_a_single_patient_says_so() -> None:
    assert estimate([], unscored="nothing there") == Estimate(None, reason="nothing there")
    assert estimate([NAN, 0.7], 0.5) == Estimate(None, trivial=0.5, reason="not defined on these images")
    assert estimate([0.7], reason="over 1 of 2 classes").reason == "over 1 of 2 classes; no interval: one patient"
    assert estimate([0.7, 0.7], NAN).trivial is None


def test_difference_by_hand() -> None:
    draws = np.r_[0.7, np.random.default_rng(0).normal(0.7, 0.02, 999)]
    assert estimate_difference(draws, draws).p == 1
    better = estimate_difference(draws, draws + 0.1)
    assert [better.value, better.lo, better.hi] == pytest.approx([0.1, 0.1, 0.1])
    assert better.p == pytest.approx(2 / 1000)  # no draw of 999 on the other side, one added to each


@pytest.mark.parametrize(("first", "second"), [(losing(30), np.full(101, 0.9)), (np.full(101, 0.9), losing(30))])
def test_a_difference_has_neither_interval_nor_p_where_either_score_is_lost(
    first: np.ndarray, second: np.ndarray
) -> None:
    found = estimate_difference(first, second)
    assert found == Difference(float(second[0] - first[0]), reason="no interval: 30 % of the draws lost it")


def test_bands_follow_the_same_rule() -> None:
    curves = np.stack([np.r_[0.5, HUNDRED], np.r_[0.5, 2 * HUNDRED]], axis=1)
    band = estimate_band(curves)
    assert band is not None
    np.testing.assert_allclose(band, [[0.025, 0.05], [0.975, 1.95]])
    curves[1:31] = NAN
    assert estimate_band(curves) is None
    assert estimate_band(curves[:1]) is None
