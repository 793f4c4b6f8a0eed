"""Scores of a classifier, each for every bootstrap draw at once; with weights of one, what scikit-learn gives."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from scripts.metrics.bootstrap import CHUNK, Floats

Mode = Literal["multilabel", "multiclass"]


class Confusion(NamedTuple):
    """Weighted counts of right and wrong answers, `[B]` each."""

    tp: Floats
    fp: Floats
    fn: Floats
    tn: Floats


def weighted_areas(
    labels: ArrayLike, scores: ArrayLike, weights: Floats, specificity: float = 0.9
) -> tuple[Floats, Floats, Floats]:
    """AUROC, average precision and sensitivity at `specificity` in each draw, from one sorting and one running sum.

    Args:
        labels: `[n]` of 0 and 1.
        scores: `[n]` higher = more positive.
        weights: `[B, n]` multiplicity of each image in each draw.
        specificity: the least that is asked for.

    Returns:
        `[B]` each, as `weighted_auroc`, `weighted_auprc` and `weighted_sensitivity_at`.
    """
    truth, score = np.asarray(labels, dtype=np.float64) > 0.5, np.asarray(scores, dtype=np.float64)
    if not truth.any():
        nothing = np.full(len(weights), np.nan)
        return nothing, nothing, nothing
    # All three change only where a positive is found, so that is where they are summed: from the highest score on.
    found, refused = np.flatnonzero(truth), np.flatnonzero(~truth)
    found, refused = found[np.argsort(-score[found])], refused[np.argsort(-score[refused])]
    level = score[found]
    first = np.flatnonzero(np.r_[True, level[1:] != level[:-1]])  # of each group of equal positives
    above, reached = (np.searchsorted(-score[refused], -level[first], side=side) for side in ("left", "right"))

    def few(draws: Floats) -> Floats:
        gained = np.add.reduceat(draws[:, found], first, axis=1)
        tp = gained.cumsum(axis=1)
        false = np.zeros((len(draws), len(refused) + 1))
        np.cumsum(draws[:, refused], axis=1, out=false[:, 1:])
        fp, positives, negatives = false[:, reached], tp[:, -1], false[:, -1]
        lost = (gained * (false[:, above] + fp) / 2).sum(axis=1)
        area = 1 - _ratio(lost, positives * negatives)
        precision = _ratio((gained * np.nan_to_num(_ratio(tp, tp + fp))).sum(axis=1), positives)
        # Weights are whole numbers and the product is not: without the slack, 0.1 of ten would be 0.9999 of one.
        allowed = fp <= (1 - specificity) * negatives[:, None] + 1e-9
        sensitive = _ratio(np.where(allowed, tp, 0).max(axis=1), np.where(negatives > 0, positives, 0))
        return np.stack([area, precision, sensitive], axis=1)

    # A few draws at a time: a large test set would need several copies of all of them.
    rows = max(1, CHUNK // max(1, weights.shape[1]))
    parts = [few(weights[i : i + rows]) for i in range(0, len(weights), rows)]
    area, precision, sensitive = np.concatenate(parts).T
    return area, precision, sensitive


def weighted_auprc(labels: ArrayLike, scores: ArrayLike, weights: Floats) -> Floats:
    """Average precision in each draw: precision at each distinct score, weighted by the recall it adds.

    Its trivial level is the prevalence, not 0.5.

    Args:
        labels: `[n]` of 0 and 1.
        scores: `[n]` higher = more positive.
        weights: `[B, n]` multiplicity of each image in each draw.

    Returns:
        `[B]`, NaN where a draw has no positive.
    """
    return weighted_areas(labels, scores, weights)[1]


def weighted_sensitivity_at(labels: ArrayLike, scores: ArrayLike, weights: Floats, specificity: float = 0.9) -> Floats:
    """Highest sensitivity on the ROC curve of each draw where its specificity is at least `specificity`.

    Returns:
        `[B]`, NaN where a draw has only one class; a score without information gives `1 - specificity`.
    """
    return weighted_areas(labels, scores, weights, specificity)[2]


def confusion(labels: ArrayLike, answers: ArrayLike, weights: Floats) -> Confusion:
    """Counts of `answers` `[n]` (0, 1) against `labels` `[n]` in each draw of `weights` `[B, n]`."""
    truth, answer = np.asarray(labels, dtype=np.float64), np.asarray(answers, dtype=np.float64)
    cells = np.stack([truth * answer, (1 - truth) * answer, truth * (1 - answer), (1 - truth) * (1 - answer)], axis=1)
    return Confusion(*(weights @ cells).T)


def f1(counts: Confusion) -> Floats:
    """F1 in each draw; 0 when nothing positive is found, NaN where a draw has no positive to find."""
    score = _ratio(2 * counts.tp, 2 * counts.tp + counts.fp + counts.fn)
    return np.where(counts.tp + counts.fn > 0, score, np.nan)


def sensitivity(counts: Confusion) -> Floats:
    """Share of the positives that were found, in each draw; NaN without positives."""
    return _ratio(counts.tp, counts.tp + counts.fn)


def specificity(counts: Confusion) -> Floats:
    """Share of the negatives that were left alone, in each draw; NaN without negatives."""
    return _ratio(counts.tn, counts.tn + counts.fp)


def accuracy(counts: Confusion) -> Floats:
    """Share of the images with a right answer to one finding, in each draw."""
    return _ratio(counts.tp + counts.tn, counts.tp + counts.tn + counts.fp + counts.fn)


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


def mean_over_classes(draws: Sequence[Floats]) -> Floats:
    """`[B]` mean of the classes' `[B]`; a class that a draw lost is left out of that draw, NaN where all are lost."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Mean of empty slice")
        return np.asarray(np.nanmean(np.stack(draws), axis=0), dtype=np.float64)


def weighted_macro_auroc(table: pd.DataFrame, names: Sequence[str], weights: Floats) -> Floats:
    """Macro AUROC over the classes present, in each draw.

    Args:
        table: columns `logit_<name>` and `label_<name>` (1, 0, NaN = left out), as `predictions.parquet`.
        names: classes.
        weights: `[B, n]` multiplicity of each row of the table in each draw.

    Returns:
        `[B]`; NaN where no class has both positives and negatives.
    """
    draws = []
    for name in names:
        labels = table[f"label_{name}"].to_numpy(dtype=np.float64)
        known = ~np.isnan(labels)
        if not lacking(labels):
            logits = table[f"logit_{name}"].to_numpy(dtype=np.float64)
            draws.append(weighted_areas(labels[known], logits[known], weights[:, known])[0])
    return mean_over_classes(draws) if draws else np.full(len(weights), np.nan)


def _ratio(part: NDArray[Any], whole: NDArray[Any]) -> Floats:
    return np.divide(part, whole, out=np.full(np.shape(part), np.nan), where=whole > 0)
