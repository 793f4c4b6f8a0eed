"""Reliability: how often what was predicted with a probability comes true."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from ...errors import CxrError
from ...figures.style import MARKERS, QUIET, add_axes, add_heading, color, new_figure, save, short, styled
from ...statistics.estimate import Estimate
from ...tables.scores import score_text

Floats = NDArray[np.float64]
Z = 1.96  # of a 95 % interval


class Bins(NamedTuple):
    """Per bin: mean predicted probability, share of positives, its 95 % interval, number of images."""

    predicted: Floats
    observed: Floats
    lo: Floats
    hi: Floats
    images: NDArray[np.int64]


@styled
def plot_reliability(
    truth: ArrayLike,
    probabilities: Mapping[str, ArrayLike],
    names: Sequence[str],
    path: str | Path,
    title: str = "Reliability: predicted and observed share of positives",
    ece: Mapping[str, Mapping[str, Estimate]] | None = None,
    bins: int = 10,
) -> Path:
    """Observed share of positives against the predicted probability, one panel a class, in bins of equal count.

    Bars are binomial 95 % intervals (Wilson 1927). The axes end where the predictions end: those of a rare finding
    would else sit in a corner.

    Args:
        truth: `[n, C]` of 1, 0 and NaN (left out).
        probabilities: `{kind: [n, C]}`, as {"as trained": …, "temperature 1.4": …}; two at most are readable.
        names: of the C classes; one without a known label is named and not drawn.
        path: the picture.
        title: its title.
        ece: `{kind: {name: Estimate}}`, written into the panels.
        bins: of equal count; fewer where predictions are equal or images few.
    """
    labels = np.asarray(truth, dtype=float)
    kinds = {kind: np.asarray(values, dtype=float) for kind, values in probabilities.items()}
    for values in kinds.values():
        if labels.shape != values.shape or labels.shape[1:] != (len(names),):
            raise CxrError(
                f"{len(names)} classes, truth {labels.shape} and probabilities {values.shape} do not fit together."
            )
    across = min(3, len(names))
    down = ceil(len(names) / across)
    figure = new_figure(0.9 + down * (5.2, 4.2, 3.1)[across - 1], title)
    panels = add_axes(figure, down, across)
    for c, (axes, name) in enumerate(zip(panels, names, strict=False)):
        known = ~np.isnan(labels[:, c])
        told = [
            (f"ECE {score_text(found[name])}", color(k))
            for k, found in enumerate((ece or {}).get(kind, {}) for kind in kinds)
            if name in found
        ]
        _draw_class(axes, labels[known, c], [values[known, c] for values in kinds.values()], bins)
        add_heading(axes, [(short(name, 75 // across), "black"), *told])
    for axes in panels[len(names) :]:
        axes.set_axis_off()
    handles = [
        Line2D([], [], color=color(k), marker=MARKERS[k % len(MARKERS)], label=kind) for k, kind in enumerate(kinds)
    ]
    figure.legend(
        handles=[*handles, Line2D([], [], color=QUIET, linestyle="--", label="perfect")],
        loc="outside lower center", ncols=len(handles) + 1,
    )  # fmt: skip
    return save(figure, path)


def reliability_bins(truth: Floats, probability: Floats, bins: int) -> Bins:
    """Bins of equal count over known labels `[n]` of 1 and 0; equal probabilities are never parted."""
    order = np.argsort(probability, kind="stable")
    ordered = probability[order]
    cuts = np.searchsorted(ordered, ordered[np.linspace(0, len(ordered), bins + 1).astype(int)[1:-1]])
    starts = np.unique(np.r_[0, cuts])
    count = np.diff(np.r_[starts, len(ordered)])
    predicted = np.add.reduceat(ordered, starts) / count
    observed = np.add.reduceat(truth[order], starts) / count
    middle = (observed + Z**2 / (2 * count)) / (1 + Z**2 / count)
    half = Z / (1 + Z**2 / count) * np.sqrt(observed * (1 - observed) / count + Z**2 / (4 * count**2))
    return Bins(predicted, observed, middle - half, middle + half, count)


def _draw_class(axes: Axes, truth: Floats, kinds: Sequence[Floats], bins: int) -> None:
    axes.set_xlabel("predicted", fontsize=9, labelpad=1)
    axes.set_ylabel("observed", fontsize=9, labelpad=1)
    axes.tick_params(labelsize=9)
    if not len(truth):
        axes.set(xticks=[], yticks=[])
        axes.text(0.5, 0.5, "not drawn:\nno known labels", ha="center", va="center", color=QUIET, fontsize=9)
        return
    largest = 0.0
    # Fewer bins for few images: below 10 images a bin's interval spans most of the axis.
    bins = max(1, min(bins, len(truth) // 10))
    for k, probability in enumerate(kinds):
        found = reliability_bins(truth, probability, bins)
        spread = np.abs(np.stack([found.observed - found.lo, found.hi - found.observed]))
        axes.errorbar(
            found.predicted, found.observed, yerr=spread, color=color(k), marker=MARKERS[k % len(MARKERS)],
            markersize=4.5, linewidth=1.5, elinewidth=1, capsize=2, alpha=0.9,
        )  # fmt: skip
        largest = max(largest, float(found.predicted.max()), float(found.hi.max()))
    edge = min(1.0, max(0.05, 1.05 * largest))
    axes.plot([0, edge], [0, edge], color=QUIET, linestyle="--", linewidth=1)
    axes.set(xlim=(-0.03 * edge, 1.03 * edge), ylim=(-0.03 * edge, 1.03 * edge))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(4))
