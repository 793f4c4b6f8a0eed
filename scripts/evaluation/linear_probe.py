"""Linear probe: what a logistic regression on frozen features tells, class by class, with patient-wise intervals."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from sklearn.preprocessing import StandardScaler

from ..data.label_policy import Policies, resolve_labels
from ..errors import CxrError
from ..metrics.binary import class_aurocs, lacking, weighted_auroc
from ..statistics.draws import Draws, Groups
from ..statistics.estimate import MACRO, Difference, Estimate, estimate_difference

Array = NDArray[Any]
Parts = list[tuple[Array, Array]]  # pairs of boolean masks [n]: fit on the first, score the second


@dataclass(frozen=True)
class ProbeRow:
    """One class (or the macro average), with the positives and the images with a known label."""

    name: str
    auroc: Estimate
    positives: int
    n: int

    def to_dict(self) -> dict[str, Any]:
        """For `evaluation.json`."""
        found, counts = self.auroc, {"positives": self.positives, "n": self.n}
        return {
            "name": self.name,
            "auroc": found.value,
            "lo": found.lo,
            "hi": found.hi,
            **counts,
            "reason": found.reason,
        }


@dataclass(frozen=True)
class ProbeResult:
    """A probe's rows, and the scores behind them (`[n, c]`, NaN = not scored), so that two probes can be compared."""

    rows: tuple[ProbeRow, ...]
    macro: ProbeRow
    scores: Array
    labels: Array
    groups: Array

    def to_dict(self) -> dict[str, Any]:
        """For `evaluation.json`: {"rows": [...], "macro": {...}}."""
        return {"rows": [row.to_dict() for row in self.rows], "macro": self.macro.to_dict()}


def probe_cv(
    features: ArrayLike,
    labels: ArrayLike,
    groups: Groups,
    names: Sequence[str],
    *,
    folds: int | ArrayLike = 5,
    uncertain: Policies = "ignore",
    unknown: Policies = "ignore",
    c: float = 0.01,
    resamples: int = 1000,
    seed: int = 0,
) -> ProbeResult:
    """Cross-validated probe; the out-of-fold scores of all folds are pooled before the AUROC is taken.

    Args:
        features: `[n, d]` frozen features.
        labels: `[n, c]` of 1, 0, -1, NaN.
        groups: `[n]` patient of each image; no patient is in two folds.
        names: `[c]` class names.
        folds: a number (GroupKFold), or `[n]` the fold of each image (as in the study table).
        uncertain: what -1 counts as.
        unknown: what NaN counts as.
        c: inverse regularisation strength of the logistic regression.
        resamples: bootstrap draws.
        seed: of the bootstrap.
    """
    x, groups = np.asarray(features, dtype=np.float64), np.asarray(groups)
    if isinstance(folds, int):
        patients = len(np.unique(groups))
        if patients < folds:
            raise CxrError(f"{folds} folds by patient need at least {folds} patients, got {patients}.")
        fold_of = np.empty(len(groups), dtype=int)
        for fold, (_, held_out) in enumerate(GroupKFold(folds).split(x, groups=groups)):
            fold_of[held_out] = fold
    else:
        fold_of = np.asarray(folds)
    parts = [(fold_of != fold, fold_of == fold) for fold in np.unique(fold_of)]
    return _probe(x, resolve_labels(labels, uncertain, unknown, names), groups, names, parts, c, resamples, seed)


def probe_split(
    features: ArrayLike,
    labels: ArrayLike,
    groups: Groups,
    names: Sequence[str],
    train_mask: ArrayLike,
    test_mask: ArrayLike,
    *,
    uncertain: Policies = "ignore",
    unknown: Policies = "ignore",
    c: float = 0.01,
    resamples: int = 1000,
    seed: int = 0,
) -> ProbeResult:
    """Fit on the images of `train_mask` `[n]`, score those of `test_mask` `[n]`; the rest as in `probe_cv`."""
    x, parts = np.asarray(features, dtype=np.float64), [(np.asarray(train_mask, bool), np.asarray(test_mask, bool))]
    return _probe(
        x, resolve_labels(labels, uncertain, unknown, names), np.asarray(groups), names, parts, c, resamples, seed
    )


def compare_probes(a: ProbeResult, b: ProbeResult, *, resamples: int = 1000, seed: int = 0) -> Difference:
    """Paired difference `b - a` of the macro AUROC over the classes that both scored, on the same images and draws."""
    if not np.array_equal(a.groups, b.groups) or not np.array_equal(a.labels, b.labels, equal_nan=True):
        raise CxrError("Two probes can be compared only on the same images, patients and labels, in the same order.")
    pairs = zip(a.rows, b.rows, strict=True)
    both = [i for i, pair in enumerate(pairs) if all(row.auroc.value is not None for row in pair)]
    if not both:
        raise CxrError("The two probes have no scored class in common.")
    scored = ~np.isnan(a.scores[:, both]).all(axis=1)
    draws = Draws.of(a.groups[scored], resamples, seed)
    return estimate_difference(
        *([weighted_auroc(side.labels[scored, i], side.scores[scored, i], draws) for i in both] for side in (a, b))
    )


def _probe(
    x: Array, y: Array, groups: Array, names: Sequence[str], parts: Parts, c: float, resamples: int, seed: int
) -> ProbeResult:
    if x.ndim != 2 or not len(x) == len(y) == len(groups) or y.shape[1] != len(names):
        raise CxrError(
            f"A linear probe needs features [n, d], labels [n, c], n groups and c names; got {x.shape}, {y.shape}, "
            f"{len(groups)} and {len(names)}."
        )
    if not np.isfinite(x).all():
        raise CxrError(f"{int((~np.isfinite(x).all(axis=1)).sum())} of {len(x)} feature rows hold NaN or infinity.")
    for train, test in parts:
        shared = np.intersect1d(groups[train], groups[test])
        if len(shared):
            raise CxrError(
                f"{len(shared)} patients are both in the training and in the test part of a probe: split by patient."
            )
        if not train.any() or not test.any():
            raise CxrError(
                f"A probe has {int(train.sum())} training and {int(test.sum())} test images: both need some."
            )
    scores, reasons = _fit(x, y, parts, c)
    tested = np.any([test for _, test in parts], axis=0)
    draws = Draws.of(groups[tested], resamples, seed)
    rows, macro = class_rows(y[tested], scores[tested], names, draws, reasons, " in the test part")
    return ProbeResult(rows, macro, scores, y, groups)


def _fit(x: Array, y: Array, parts: Parts, c: float) -> tuple[Array, list[str]]:
    scores = np.full(y.shape, np.nan)
    reasons = [lacking(column) for column in y.T]
    for number, (train, test) in enumerate(parts):
        scaler = StandardScaler().fit(x[train])
        fit_x, test_x = scaler.transform(x[train]), scaler.transform(x[test])
        for i in range(y.shape[1]):
            known = ~np.isnan(y[train, i])
            missing = lacking(y[train, i])
            if reasons[i] or missing:
                where = f"the training part of fold {number + 1}" if len(parts) > 1 else "the training part"
                reasons[i] = reasons[i] or f"{missing} in {where}"
                continue
            with warnings.catch_warnings():
                # A probe at the iteration limit is a score like another; its ranks no longer move.
                warnings.simplefilter("ignore", ConvergenceWarning)
                model = LogisticRegression(C=c, max_iter=1000).fit(fit_x[known], y[train, i][known])
            scores[test, i] = model.decision_function(test_x)
    scores[:, [bool(reason) for reason in reasons]] = np.nan
    return scores, reasons


def class_rows(
    labels: Array,
    scores: Array,
    names: Sequence[str],
    draws: Draws,
    reasons: Sequence[str] | None = None,
    where: str = "",
) -> tuple[tuple[ProbeRow, ...], ProbeRow]:
    """AUROC of each class, and their mean.

    Args:
        labels: `[n, c]` of 1, 0 and NaN (left out).
        scores: `[n, c]` higher = more positive.
        names: `[c]`.
        draws: of the n images.
        reasons: `[c]` why a class is not to be scored; "" where it is.
        where: stands behind what the labels lack.
    """
    absent = [missing and f"{missing}{where}" for missing in map(lacking, labels.T)]
    told = [reason or missing for reason, missing in zip(reasons or [""] * len(absent), absent, strict=True)]
    classes, mean = class_aurocs(labels, scores, draws, told)
    known, positive = (~np.isnan(labels)).sum(axis=0).tolist(), (labels == 1).sum(axis=0).tolist()
    rows = tuple(map(ProbeRow, names, classes, positive, known))
    positives = sum(row.positives for row in rows if row.auroc.value is not None)
    return rows, ProbeRow(MACRO, mean, positives, len(labels))
