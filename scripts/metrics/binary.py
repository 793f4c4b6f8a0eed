"""Scores of a classifier, each for every bootstrap draw at once; with weights of one, what scikit-learn gives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ..statistics.draws import Draws, Floats, ratio
from ..statistics.estimate import Estimate, estimate, estimate_macro

Mode = Literal["multilabel", "multiclass"]


class Confusion(NamedTuple):
    """Counts of right and wrong answers in each draw, `[D]` each."""

    tp: Floats
    fp: Floats
    fn: Floats
    tn: Floats


def weighted_areas(
    labels: ArrayLike, scores: ArrayLike, draws: Draws, specificity: float = 0.9
) -> tuple[Floats, Floats, Floats]:
    """AUROC, average precision and sensitivity at `specificity` in each draw, from one sorting and one running sum.

    Equal scores are one point of each curve, so the order of the images is of no account: for AUROC a tie counts one
    half. Average precision is the precision at each distinct score, weighted by the recall that it adds; sensitivity is
    the highest on the ROC curve where the specificity is at least the given one.

    Args:
        labels: `[n]` of 1, 0 and NaN (left out).
        scores: `[n]` higher = more positive.
        draws: of the n images.
        specificity: the least that is asked for.

    Returns:
        `[D]` each. NaN where a draw has no positive; without negatives the first and the last are NaN too. A score
        without information gives 0.5, the prevalence and `1 - specificity`.
    """
    truth, score = np.asarray(labels, dtype=np.float64), np.asarray(scores, dtype=np.float64)
    found, refused = np.flatnonzero(truth > 0.5), np.flatnonzero(truth <= 0.5)
    if not len(found):
        nothing = np.full(len(draws), np.nan)
        return nothing, nothing, nothing
    # All three change only where a positive is found, so that is where they are summed: from the highest score on.
    found, refused = found[np.argsort(-score[found])], refused[np.argsort(-score[refused])]
    level = score[found]
    first = np.flatnonzero(np.r_[True, level[1:] != level[:-1]])  # of each group of equal positives
    above, reached = (np.searchsorted(-score[refused], -level[first], side=side) for side in ("left", "right"))

    def few(weights: Floats) -> Floats:
        gained = np.add.reduceat(weights[:, : len(found)], first, axis=1)
        tp = gained.cumsum(axis=1)
        false = np.zeros((len(weights), len(refused) + 1))
        np.cumsum(weights[:, len(found) :], axis=1, out=false[:, 1:])
        fp, positives, negatives = false[:, reached], tp[:, -1], false[:, -1]
        lost = (gained * (false[:, above] + fp) / 2).sum(axis=1)
        area = 1 - ratio(lost, positives * negatives)
        precision = ratio((gained * np.nan_to_num(ratio(tp, tp + fp))).sum(axis=1), positives)
        # Weights are whole numbers and the product is not: without the slack, 0.1 of ten would be 0.9999 of one.
        allowed = fp <= (1 - specificity) * negatives[:, None] + 1e-9
        sensitive = ratio(np.where(allowed, tp, 0).max(axis=1), np.where(negatives > 0, positives, 0))
        return np.stack([area, precision, sensitive], axis=1)

    area, precision, sensitive = draws[np.concatenate([found, refused])].map(few).T
    return area, precision, sensitive


def weighted_auroc(labels: ArrayLike, scores: ArrayLike, draws: Draws) -> Floats:
    """Area under the ROC curve in each draw; tied scores count one half.

    Args:
        labels: `[n]` of 1, 0 and NaN (left out).
        scores: `[n]` higher = more positive.
        draws: of the n images.

    Returns:
        `[D]`, NaN where a draw has only one class.
    """
    return weighted_areas(labels, scores, draws)[0]


def confusion(labels: ArrayLike, answers: ArrayLike, draws: Draws) -> Confusion:
    """Counts of `answers` `[n]` (0, 1) against `labels` `[n]` in each draw."""
    truth, answer = np.asarray(labels, dtype=np.float64), np.asarray(answers, dtype=np.float64)
    cells = np.stack([truth * answer, (1 - truth) * answer, truth * (1 - answer), (1 - truth) * (1 - answer)], axis=1)
    return Confusion(*draws.total(cells).T)


def f1(counts: Confusion) -> Floats:
    """F1 in each draw; 0 when nothing positive is found, NaN where a draw has no positive to find."""
    score = ratio(2 * counts.tp, 2 * counts.tp + counts.fp + counts.fn)
    return np.where(counts.tp + counts.fn > 0, score, np.nan)


def sensitivity(counts: Confusion) -> Floats:
    """Share of the positives that were found, in each draw; NaN without positives."""
    return ratio(counts.tp, counts.tp + counts.fn)


def specificity(counts: Confusion) -> Floats:
    """Share of the negatives that were left alone, in each draw; NaN without negatives."""
    return ratio(counts.tn, counts.tn + counts.fp)


def accuracy(counts: Confusion) -> Floats:
    """Share of the images with a right answer to one finding, in each draw."""
    return ratio(counts.tp + counts.tn, counts.tp + counts.tn + counts.fp + counts.fn)


def all_right(labels: ArrayLike, answers: ArrayLike) -> Floats:
    """Per image, 1 when every known label is answered right, 0 when one is not, NaN when none is known.

    The mean is scikit-learn's `accuracy_score`: of one-hot rows the share of right classes, of several findings the
    share of exact matches. Ignite's `Accuracy` counts elements instead, and calls four wrong answers of four classes
    half right.

    Args:
        labels: `[n, c]` of 1, 0, NaN.
        answers: `[n, c]` of 1 and 0.
    """
    truth, answer = np.asarray(labels, dtype=np.float64), np.asarray(answers, dtype=np.float64)
    known = ~np.isnan(truth)
    right = (~known | (truth == answer)).all(axis=1)
    return np.where(known.any(axis=1), right, np.nan)


def decide(probabilities: ArrayLike, mode: Mode, thresholds: ArrayLike = 0.5) -> Floats:
    """What a classifier says, `[n, c]` of 0 and 1: the most probable class, or every finding that reaches its
    threshold (a number, or `[c]`).
    """
    table = np.asarray(probabilities, dtype=np.float64)
    if mode == "multiclass":
        return np.eye(table.shape[1])[table.argmax(axis=1)]
    return (table >= np.asarray(thresholds)).astype(np.float64)


def lacking(labels: ArrayLike) -> str:
    """What labels `[n]` of 1, 0 and NaN lack to be scored: "no known labels", "no positives", "no negatives" or ""."""
    found = np.asarray(labels, dtype=np.float64)
    found = found[~np.isnan(found)]
    if not len(found):
        return "no known labels"
    return "no positives" if not found.any() else "no negatives" if found.all() else ""


def class_aurocs(
    labels: ArrayLike, scores: ArrayLike, draws: Draws, reasons: Sequence[str] = ()
) -> tuple[list[Estimate], Estimate]:
    """AUROC of each class, and their mean.

    Args:
        labels: `[n, c]` of 1, 0 and NaN (left out).
        scores: `[n, c]` higher = more positive.
        draws: of the n images.
        reasons: `[c]` why a class is not to be scored besides what its labels lack; "" where it is.
    """
    truth, values = np.asarray(labels, dtype=np.float64), np.asarray(scores, dtype=np.float64)
    classes, drawn = [], []
    for i, column in enumerate(truth.T):
        if reason := (reasons[i] if reasons else "") or lacking(column):
            classes.append(Estimate(None, reason=reason))
            continue
        drawn.append(weighted_auroc(column, values[:, i], draws))
        classes.append(estimate(drawn[-1]))
    return classes, estimate_macro(classes, drawn)
