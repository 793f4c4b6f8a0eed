"""What a set of images says about a classifier: each score of each class, with its interval and its trivial level."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from ...metrics.binary import (
    Mode,
    accuracy,
    all_right,
    confusion,
    decide,
    f1,
    lacking,
    sensitivity,
    specificity,
    weighted_areas,
)
from ...statistics.draws import Draws, Floats
from ...statistics.estimate import MACRO, Estimate, estimate, estimate_macro
from .calibration import predicted_probabilities, top_answer, weighted_ece

SPECIFICITY = 0.9
SCORES = ("auroc", "auprc", "f1", "sensitivity_at_90", "sensitivity", "specificity")
# One class against the rest says little of these where one class is the answer.
OF_A_FINDING = ("accuracy", "ece", "ece_calibrated")
BY_THRESHOLD = ("f1", "sensitivity", "specificity", "accuracy")
UNDECIDED = "no threshold from validation"
# Constant answers that are tried as a baseline; with 14 findings there are more combinations than images.
CANDIDATES = 20


@dataclass(frozen=True)
class ClassCounts:
    """Images with a known label of a class, and the positives among them."""

    n: int
    positives: int


ScoresOfClasses = dict[str, dict[str, Estimate]]  # score, class (or macro)


def score_classes(
    logits: ArrayLike,
    labels: ArrayLike,
    names: Sequence[str],
    draws: Draws,
    mode: Mode = "multilabel",
    temperature: float = 1.0,
    thresholds: ArrayLike = 0.5,
) -> ScoresOfClasses:
    """Every score of every class and, with several classes, their mean over those present.

    Args:
        logits: `[n, c]`.
        labels: `[n, c]` of 1, 0, NaN (left out).
        names: `[c]`.
        draws: of the n images.
        mode: one sigmoid a class, or softmax.
        temperature: of the calibrated probabilities, from validation images.
        thresholds: on the calibrated probabilities, from validation images; NaN where they could not decide one.

    Returns:
        `{score: {class: Estimate}}`: `auroc`, `auprc`, `f1`, `sensitivity`, `specificity` (of the answers),
        `sensitivity_at_90`, `accuracy` (of a finding in multilabel; over all classes, every known label right),
        `ece` and `ece_calibrated`.
    """
    raw, truth = predicted_probabilities(logits, mode), np.asarray(labels, dtype=np.float64)
    p = predicted_probabilities(logits, mode, temperature)
    limits = np.broadcast_to(np.asarray(thresholds, dtype=np.float64), len(names))
    answers = decide(p, mode, np.nan_to_num(limits, nan=0.5))
    kinds = SCORES if mode == "multiclass" else (*SCORES, *OF_A_FINDING)
    table: ScoresOfClasses = {score: {} for score in kinds}
    drawn: dict[str, list[Floats]] = {score: [] for score in kinds}
    for i, name in enumerate(names):
        known = ~np.isnan(truth[:, i])
        reasons = dict.fromkeys(kinds, lacking(truth[:, i]))
        if mode == "multilabel" and np.isnan(limits[i]):
            reasons = {score: reasons[score] or (UNDECIDED if score in BY_THRESHOLD else "") for score in kinds}
        found = {}
        if not all(reasons.values()):
            found = _of_one(truth[known, i], raw[known, i], p[known, i], answers[known, i], draws[known])
        for score, reason in reasons.items():
            table[score][name] = Estimate(None, reason=reason) if reason else estimate(*found[score])
            if not reason:
                drawn[score].append(found[score][0])
    if len(names) > 1:
        for score, classes in table.items():
            table[score] = {MACRO: estimate_macro(list(classes.values()), drawn[score])} | classes
        table.update(_over_all_classes(truth, raw, p, answers, draws, mode, table))
    return table


def class_counts(labels: ArrayLike, names: Sequence[str]) -> dict[str, ClassCounts]:
    """Counts of labels `[n, c]` of 1, 0, NaN."""
    truth = np.asarray(labels, dtype=np.float64)
    known = ~np.isnan(truth)
    return {
        name: ClassCounts(int(known[:, i].sum()), int((truth[known[:, i], i] == 1).sum()))
        for i, name in enumerate(names)
    }


def constant_accuracy(labels: ArrayLike) -> float:
    """Best share of images that one answer to all of them gets all right: what accuracy is worth without looking.

    Args:
        labels: `[n, c]` of 1, 0, NaN.
    """
    truth = np.asarray(labels, dtype=np.float64)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Mean of empty slice")
        usual = np.nan_to_num(np.nanmean(truth, axis=0)) > 0.5
    combinations, counts = np.unique(np.where(np.isnan(truth), usual, truth), axis=0, return_counts=True)
    likely = combinations[np.argsort(-counts, kind="stable")[:CANDIDATES]]
    return max(float(np.nanmean(all_right(truth, np.broadcast_to(one, truth.shape)))) for one in likely)


def _of_one(
    truth: Floats, raw: Floats, p: Floats, answers: Floats, draws: Draws
) -> dict[str, tuple[Floats, float | None]]:
    """Draws and trivial level of each score of one class, of the images that know it."""
    share, counts = float(truth.mean()), confusion(truth, answers, draws)
    auroc, auprc, sensitive = weighted_areas(truth, raw, draws, SPECIFICITY)
    return {
        "auroc": (auroc, 0.5),
        "auprc": (auprc, share),
        "f1": (f1(counts), 2 * share / (1 + share)),  # of calling every image positive
        "sensitivity_at_90": (sensitive, 1 - SPECIFICITY),
        "sensitivity": (sensitivity(counts), None),
        "specificity": (specificity(counts), None),
        "accuracy": (accuracy(counts), max(share, 1 - share)),
        "ece": (weighted_ece(truth, raw, draws), None),
        "ece_calibrated": (weighted_ece(truth, p, draws), None),
    }


def _over_all_classes(
    truth: Floats, raw: Floats, p: Floats, answers: Floats, draws: Draws, mode: Mode, table: ScoresOfClasses
) -> ScoresOfClasses:
    """What is not a mean over classes: accuracy of an image's whole answer, calibration of the answer in multiclass."""
    right = all_right(truth, answers)
    known = ~np.isnan(right)
    if not known.any():
        return {"accuracy": {MACRO: Estimate(None, reason="no known labels")} | _classes(table, "accuracy")}
    whole = estimate(draws[known].mean(right[known]), constant_accuracy(truth[known]))
    scores: ScoresOfClasses = {"accuracy": {MACRO: whole} | _classes(table, "accuracy")}
    if mode == "multiclass":
        # One class is the answer for all: it alone has an F1 above 0.
        levels = [one.trivial for one in _classes(table, "f1").values() if one.trivial is not None]
        if levels:
            scores["f1"] = table["f1"] | {MACRO: replace(table["f1"][MACRO], trivial=max(levels) / len(levels))}
        for score, predicted in (("ece", raw), ("ece_calibrated", p)):
            scores[score] = {MACRO: estimate(weighted_ece(*top_answer(truth[known], predicted[known]), draws[known]))}
    return scores


def _classes(table: ScoresOfClasses, score: str) -> dict[str, Estimate]:
    return {name: found for name, found in table.get(score, {}).items() if name != MACRO}
