"""ROC and precision-recall curves with bands of the patient bootstrap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike, NDArray

from scripts.errors import CxrError
from scripts.metrics.bootstrap import CHUNK, Groups, patient_weights
from scripts.output.style import QUIET, add_axes, color, new_figure, save, styled
from scripts.output.tables import Score

Floats = NDArray[np.float64]
GRID = np.linspace(0, 1, 201)
POINTS = 600  # of a curve that are drawn; more cannot be seen, and make a picture slow


@styled
def plot_roc_pr(
    truth: ArrayLike,
    scores: ArrayLike,
    names: Sequence[str],
    path: str | Path,
    title: str = "ROC and precision–recall with 95 % bands",
    groups: Groups | None = None,
    auroc: Mapping[str, Score] | None = None,
    auprc: Mapping[str, Score] | None = None,
    resamples: int = 200,
) -> Path:
    """ROC and precision-recall of each class side by side, against chance (the diagonal, the share of positives).

    Args:
        truth: `[n, C]` of 1, 0 and NaN (left out).
        scores: `[n, C]` higher = more positive: logits or probabilities.
        names: of the C classes; one without both kinds of image is named and not drawn.
        path: the picture.
        title: its title.
        groups: `[n]` patients, for the bands; None = no bands.
        auroc, auprc: `{name: Score}`, written into the panels so that they say what the table says.
        resamples: of the bands' bootstrap.
    """
    labels, values = np.asarray(truth, dtype=float), np.asarray(scores, dtype=float)
    if labels.shape != values.shape or labels.shape[1:] != (len(names),):
        raise CxrError(f"{len(names)} classes, truth {labels.shape} and scores {values.shape} do not fit together.")
    weights = None if groups is None else patient_weights(groups, resamples)
    across = 1 if len(names) == 1 else 2
    down = ceil(len(names) / across)
    figure = new_figure(0.7 + down * (4.2 if across == 1 else 2.5), title)
    panels = add_axes(figure, down, 2 * across)
    for c, name in enumerate(names):
        pair = panels[2 * c : 2 * c + 2]
        known = ~np.isnan(labels[:, c])
        drawn = None if weights is None else weights[:, known]
        _class_panels(
            pair,
            labels[known, c],
            values[known, c],
            name,
            drawn,
            (auroc or {}).get(name),
            (auprc or {}).get(name),
            len(names) == 1,
        )
    for spare in panels[2 * len(names) :]:
        spare.set_axis_off()
    return save(figure, path)


def roc_points(labels: Floats, scores: Floats, weights: Floats | None = None) -> tuple[Floats, Floats]:
    """False- and true-positive rates from (0, 0) to (1, 1), one point a distinct score."""
    positive, negative = _cumulative(labels, scores, weights)
    return np.r_[0, negative / negative[-1]], np.r_[0, positive / positive[-1]]


def pr_points(labels: Floats, scores: Floats, weights: Floats | None = None) -> tuple[Floats, Floats]:
    """Recall and precision, one point a distinct score; the first precision is repeated at recall 0."""
    positive, negative = _cumulative(labels, scores, weights)
    flagged = positive + negative
    precision = np.divide(positive, flagged, out=np.ones_like(positive), where=flagged > 0)
    return np.r_[0, positive / positive[-1]], np.r_[precision[0], precision]


def _cumulative(labels: Floats, scores: Floats, weights: Floats | None) -> tuple[Floats, Floats]:
    """Positives and negatives at or above each distinct score, the highest first."""
    order = np.argsort(-scores, kind="stable")
    last = np.flatnonzero(np.r_[scores[order][1:] != scores[order][:-1], True])
    weight = np.ones(len(labels)) if weights is None else weights[order]
    positive, negative = np.cumsum(weight * labels[order]), np.cumsum(weight * (1 - labels[order]))
    return positive[last], negative[last]
