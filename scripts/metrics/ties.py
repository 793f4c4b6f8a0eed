"""Rankings with equal scores: what a random order of the equals gives in the mean, so that no order of items counts."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln

from ..statistics.draws import Floats


class Around(NamedTuple):
    """Of each query, around the score at one place of its ranking, `[q]` each."""

    above: NDArray[Any]  # items with a larger score
    hits_above: NDArray[Any]
    tied: NDArray[Any]  # items with that score, the place itself included
    tied_hits: NDArray[Any]


def expected_hits(around: Around, k: int) -> Floats:
    """`[q]` mean number of hits among the first k, from what is around place k."""
    left = k - around.above
    return np.asarray(around.hits_above + left * around.tied_hits / around.tied, dtype=np.float64)


def chance_of_any(around: Around, k: int) -> Floats:
    """`[q]` probability of a hit among the first k, from what is around place k."""
    m, h, left = around.tied, around.tied_hits, k - around.above
    missed = np.exp(log_choose(m - h, np.minimum(left, m - h)) - log_choose(m, left))
    return np.where((around.hits_above > 0) | (left > m - h), 1.0, np.where(h > 0, 1 - missed, 0.0))


def first_rank(above: ArrayLike, tied: ArrayLike, tied_hits: ArrayLike) -> tuple[Floats, Floats]:
    """`[q]` mean rank, from 1, of the first hit, and mean of its reciprocal.

    Args:
        above: `[q]` items above the best hit's score.
        tied: items with that score.
        tied_hits: hits among them, at least one.
    """
    a, m, h = (np.asarray(part, dtype=np.int64) for part in (above, tied, tied_hits))
    mean = a + (m + 1) / (h + 1)  # the least of h places drawn from 1 … m
    cases, which = np.unique(np.stack([a, m, h]), axis=1, return_inverse=True)
    reciprocal = np.array([_reciprocal(*case) for case in cases.T.tolist()])
    return mean, reciprocal[which.reshape(-1)]


def _reciprocal(above: int, tied: int, hits: int) -> float:
    place = np.arange(1, tied - hits + 2)  # of the first hit among the equals
    share = np.exp(log_choose(tied - place, hits - 1) - log_choose(tied, hits))
    return float((share / (above + place)).sum()) if tied > hits else 1 / (above + 1)


def log_choose(n: ArrayLike, k: ArrayLike) -> NDArray[Any]:
    """Logarithm of the number of ways to take k of n."""
    top, part = np.asarray(n, dtype=np.float64), np.asarray(k, dtype=np.float64)
    return np.asarray(gammaln(top + 1) - gammaln(part + 1) - gammaln(top - part + 1))
