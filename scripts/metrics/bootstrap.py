"""Intervals that respect patients: a clustered bootstrap, vectorised over its resamples.

Images of one patient are not independent, so a resample draws *patients* with replacement. Drawing is expressed as one
integer weight an image (how often its patient was drawn), and each statistic is computed for all resamples at once from
these weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scripts.errors import CxrError

CHUNK = 4_000_000  # numbers of one temporary array
Floats = NDArray[np.float64]
Groups = Sequence[Any] | NDArray[Any]


class Interval(NamedTuple):
    """Bounds of a percentile interval, in the units of the statistic."""

    lo: float
    hi: float


class Difference(NamedTuple):
    """A paired difference `b - a` with its interval and two-sided bootstrap p-value."""

    value: float
    lo: float
    hi: float
    p: float


def patient_weights(groups: Groups, resamples: int = 1000, seed: int = 0) -> Floats:
    """Draw patients with replacement.

    Args:
        groups: `[n]` patient of each image.
        resamples: number of draws B.
        seed: the same seed and groups give the same draws, so two score sets can be compared draw by draw.

    Returns:
        `[B, n]` how often each image is in each draw.
    """
    patients, member = np.unique(np.asarray(groups).astype(str), return_inverse=True)
    if len(patients) < 2:
        raise CxrError(
            f"A patient-wise interval needs at least 2 patients, got {len(patients)}: check the patient column."
        )
    counts = np.random.default_rng(seed).multinomial(
        len(patients), np.full(len(patients), 1 / len(patients)), resamples
    )
    return counts[:, member].astype(np.float64)


def weighted_mean(values: ArrayLike, weights: Floats) -> Floats:
    """`[B]` mean of `values` `[n]` in each draw of `weights` `[B, n]`; NaN where a draw has no weight."""
    total = weights.sum(axis=1)
    with np.errstate(invalid="ignore"):
        return np.asarray((weights @ np.asarray(values, dtype=np.float64)) / total, dtype=np.float64)


def weighted_auroc(labels: ArrayLike, scores: ArrayLike, weights: Floats) -> Floats:
    """Area under the ROC curve in each draw, by ranks; tied scores count one half.

    Args:
        labels: `[n]` of 0 and 1.
        scores: `[n]` higher = more positive.
        weights: `[B, n]` multiplicity of each image in each draw; 0 leaves an image out.

    Returns:
        `[B]` AUROC, NaN where a draw holds only one class.
    """
    rows = max(1, CHUNK // max(1, weights.shape[1]))
    if len(weights) > rows:  # a few draws at a time: a large test set would need many copies of all of them
        parts = [weighted_auroc(labels, scores, weights[i : i + rows]) for i in range(0, len(weights), rows)]
        return np.concatenate(parts)
    order = np.argsort(np.asarray(scores), kind="stable")
    ordered = np.asarray(scores)[order]
    ties = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    truth = np.asarray(labels, dtype=np.float64)[order]
    drawn = weights[:, order]
    positive = np.add.reduceat(drawn * truth, ties, axis=1)
    negative = np.add.reduceat(drawn * (1 - truth), ties, axis=1)
    below = np.cumsum(negative, axis=1) - negative / 2
    pairs = positive.sum(axis=1) * negative.sum(axis=1)
    wins = (positive * below).sum(axis=1)
    return np.divide(wins, pairs, out=np.full_like(wins, np.nan), where=pairs > 0)


def auroc(labels: ArrayLike, scores: ArrayLike) -> float:
    """AUROC of `labels` `[n]` (0, 1) under `scores` `[n]`; NaN when only one class is there."""
    return float(weighted_auroc(labels, scores, np.ones((1, len(np.asarray(labels)))))[0])


def percentile_interval(draws: Floats, level: float = 0.95) -> Interval:
    """Percentile interval of bootstrap `draws` `[B]`; draws without the statistic (NaN) are left out."""
    tail = (1 - level) / 2 * 100
    lo, hi = np.nanpercentile(draws, [tail, 100 - tail])
    return Interval(float(lo), float(hi))


def paired_difference(value: float, draws_a: Floats, draws_b: Floats, level: float = 0.95) -> Difference:
    """Compare two statistics that were computed on the *same* draws.

    Args:
        value: the difference `b - a` on all images.
        draws_a: `[B]` statistic of a.
        draws_b: `[B]` statistic of b, from the same weights.
        level: coverage of the interval.

    Returns:
        The difference with its percentile interval; p = twice the smaller share of draws on either side of 0, with one
        draw added to each (Davison & Hinkley 1997, eq. 4.11), so it is never 0.
    """
    change = draws_b - draws_a
    change = change[np.isfinite(change)]
    if change.size == 0:
        raise CxrError("No bootstrap draw holds both classes: too few patients to compare these scores.")
    tail = min(int((change <= 0).sum()), int((change >= 0).sum()))
    p = min(1.0, 2 * (tail + 1) / (change.size + 1))
    return Difference(value, *percentile_interval(change, level), p)
