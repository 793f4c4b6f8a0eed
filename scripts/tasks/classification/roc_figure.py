"""ROC and precision-recall curves with bands of the patient bootstrap."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from math import ceil
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from ...errors import CxrError
from ...figures.style import QUIET, add_axes, add_heading, color, new_figure, save, short, styled
from ...statistics.draws import Draws, Floats, Groups
from ...statistics.estimate import Estimate, estimate_band
from ...tables.scores import score_text

GRID = np.linspace(0, 1, 201)
TICKS, TICK_NAMES = (0, 0.5, 1), ("0", ".5", "1")
POINTS = 500  # of a curve that are drawn: no screen shows more, and 30,000 images would make a picture slow


@styled
def plot_roc_pr(
    truth: ArrayLike,
    scores: ArrayLike,
    names: Sequence[str],
    path: str | Path,
    title: str = "ROC and precision–recall with 95 % bands",
    groups: Groups | None = None,
    auroc: Mapping[str, Estimate] | None = None,
    auprc: Mapping[str, Estimate] | None = None,
    resamples: int = 200,
) -> Path:
    """ROC and precision-recall of each class side by side, against chance (the diagonal, the share of positives).

    Args:
        truth: `[n, C]` of 1, 0 and NaN (left out).
        scores: `[n, C]` higher = more positive: logits or probabilities.
        names: of the C classes; one without both kinds of image is named and not drawn.
        path: the picture.
        title: its title.
        groups: `[n]` patients, for the bands; None = no bands. A class whose score would have no interval has none.
        auroc, auprc: `{name: Estimate}`, written into the panels so that they say what the table says.
        resamples: of the bands' bootstrap.
    """
    labels, values = np.asarray(truth, dtype=float), np.asarray(scores, dtype=float)
    if labels.shape != values.shape or labels.shape[1:] != (len(names),):
        raise CxrError(f"{len(names)} classes, truth {labels.shape} and scores {values.shape} do not fit together.")
    draws = None if groups is None else Draws.of(groups, resamples)
    across = 1 if len(names) == 1 else 2
    down = ceil(len(names) / across)
    figure = new_figure(0.6 + down * (4.6 if across == 1 else 2.45), title)
    panels = add_axes(figure, down, 2 * across)
    for c, name in enumerate(names):
        known = ~np.isnan(labels[:, c])
        drawn = None if draws is None else draws[known]
        pair = panels[2 * c], panels[2 * c + 1]
        told = (auroc or {}).get(name), (auprc or {}).get(name)
        _draw_class(pair, name, labels[known, c], values[known, c], drawn, told)
    for axes in panels[2 * len(names) :]:
        axes.set_axis_off()
    return save(figure, path)


class Flagged(NamedTuple):
    """Positives and negatives at or above each distinct score, the highest first: `[m]`, or `[B, m]` for B draws."""

    positive: Floats
    negative: Floats

    @classmethod
    def of(cls, labels: Floats, scores: Floats) -> Callable[[Floats], Flagged]:
        """Counts for any weights `[n]`; the images are sorted once, for all draws.

        Args:
            labels: `[n]` of 0 and 1.
            scores: `[n]` higher = more positive; tied scores are one point.
        """
        order = np.argsort(-scores, kind="stable")
        last = np.flatnonzero(np.r_[scores[order][1:] != scores[order][:-1], True])
        truth = labels[order]

        def count(weights: Floats) -> Flagged:
            weight = weights[order]
            everyone, positive = np.cumsum(weight)[last], np.cumsum(weight * truth)[last]
            return cls(positive, everyone - positive)

        return count

    def roc(self) -> tuple[Floats, Floats]:
        """False- and true-positive rate, from (0, 0) to (1, 1)."""
        return np.r_[0, self.negative / self.negative[-1]], np.r_[0, self.positive / self.positive[-1]]

    def pr(self) -> tuple[Floats, Floats]:
        """Recall and precision; the first precision is held back to recall 0, where nothing is flagged."""
        flagged = self.positive + self.negative
        some = flagged > 0
        precision = self.positive[some] / flagged[some]
        return np.r_[0, self.positive[some] / self.positive[-1]], np.r_[precision[0], precision]


def bands(count: Callable[[Floats], Flagged], draws: Draws) -> list[tuple[Floats, Floats]]:
    """95 % bands of both curves' heights over `GRID`; none where too many draws have not both classes."""

    def heights(weights: Floats) -> Floats:
        curves = np.full((len(weights), 2, len(GRID)), np.nan)
        for curve, flagged in zip(curves, map(count, weights), strict=True):
            if flagged.positive[-1] > 0 and flagged.negative[-1] > 0:
                curve[:] = np.interp(GRID, *flagged.roc()), np.interp(GRID, *flagged.pr())
        return curves

    found = draws.map(heights)
    shades = (estimate_band(found[:, k]) for k in range(2))
    return [shade for shade in shades if shade is not None]


def _thin(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """At most `POINTS` points of a curve, evenly along its length, its ends included."""
    if len(x) <= POINTS:
        return x, y
    length = np.r_[0, np.cumsum(np.hypot(np.diff(x), np.diff(y)))]
    keep = np.unique(np.searchsorted(length, np.linspace(0, length[-1], POINTS)).clip(max=len(x) - 1))
    return x[keep], y[keep]


def _draw_class(
    pair: tuple[Axes, Axes],
    name: str,
    labels: Floats,
    scores: Floats,
    draws: Draws | None,
    told: tuple[Estimate | None, Estimate | None],
) -> None:
    positives = int(labels.sum())
    for axes, what, score in zip(pair, ("AUROC", "AUPRC"), told, strict=True):
        name_line = f"{short(name, 36)} ({positives} of {len(labels)})" if what == "AUROC" else ""
        # Without leading zeros, to fit over a narrow panel.
        value = re.sub(r"\b0[.]", ".", score_text(score)) if score else ""
        add_heading(axes, [(name_line, "black"), (f"{what} {value}" if score else "", "black")])
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
        axes.set_xticks(TICKS, TICK_NAMES)
        axes.set_yticks(TICKS, TICK_NAMES)
        axes.set_xlabel("false-positive rate" if what == "AUROC" else "recall", fontsize=9, labelpad=1)
        axes.set_ylabel("sensitivity" if what == "AUROC" else "precision", fontsize=9, labelpad=1)
        axes.tick_params(labelsize=9)
    if positives in (0, len(labels)):
        missing = "known labels" if len(labels) == 0 else "positives" if positives == 0 else "negatives"
        for axes in pair:
            axes.text(0.5, 0.5, f"not scored:\nno {missing}", ha="center", va="center", color=QUIET, fontsize=9)
        return
    count = Flagged.of(labels, scores)
    everyone = count(np.ones(len(labels)))
    for k, shade in enumerate([] if draws is None else bands(count, draws)):
        pair[k].fill_between(GRID, *shade, color=color(k), alpha=0.25, linewidth=0)
    for k, (curve, chance) in enumerate(((everyone.roc(), (0, 1)), (everyone.pr(), (labels.mean(), labels.mean())))):
        pair[k].plot(*_thin(*curve), color=color(k), linewidth=1.8)
        pair[k].plot((0, 1), chance, color=QUIET, linestyle="--", linewidth=1)
