"""The probability from which on a finding is called present."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ...metrics.binary import lacking


def best_f1_threshold(labels: ArrayLike, scores: ArrayLike) -> float | None:
    """Threshold with the best F1 on validation images; of several, the highest.

    It lies half-way between the last score that it accepts and the first that it does not, so that rounding in another
    runtime does not move an image across.

    Args:
        labels: `[n]` of 1, 0, NaN (left out).
        scores: `[n]` higher = more positive; `score >= threshold` is a positive answer.

    Returns:
        None when only one class is there: then no threshold is better than another.
    """
    if lacking(labels):
        return None
    truth, score = np.asarray(labels, dtype=np.float64), np.asarray(scores, dtype=np.float64)
    known = ~np.isnan(truth)
    order = np.argsort(-score[known], kind="stable")
    score, truth = score[known][order], truth[known][order]
    last = np.flatnonzero(np.r_[score[1:] != score[:-1], True])  # of each group of equal scores
    found, answered = truth.cumsum()[last], last + 1
    best = int(np.argmax(2 * found / (answered + truth.sum())))
    accepted = score[last[best]]
    refused = score[last[best] + 1] if last[best] + 1 < len(score) else accepted
    return float((accepted + refused) / 2)
