"""Pictures of a run: losses, latent geometry, spectra. Each function writes one file and returns its path."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, StrMethodFormatter
from numpy.typing import ArrayLike

from ..errors import CxrError
from .style import MARKERS, QUIET, add_axes, color, new_figure, save, styled

Row = Mapping[str, float]
GEOMETRY = {
    "effective_rank": "Effective rank (dimensions in use)",
    "rank_share": "Rank share (of what 64 images allow)",
    "top_variance": "Variance share of the first direction",
    "dimensions_90": "Directions with 90 % of the variance",
    "uniformity": "Uniformity (log; lower = more spread)",
    "mean_offdiag_correlation": "Mean |correlation| of features",
    "feature_std": "Feature std (feature units)",
    "alignment": "Alignment (squared distance, 0–4)",
}


@styled
def plot_training(rows: Sequence[Row], path: str | Path, title: str = "Training") -> Path:
    """Losses and learning rate over epochs.

    Args:
        rows: one an epoch (`history.json`): `epoch`, `learning_rate`, and losses; `val_loss` joins if it is there,
            other `val_…` belong to other pictures.
        path: the picture.
        title: its title.
    """
    if not rows:
        raise CxrError("No epoch has finished yet: there is no training curve to draw.")
    losses = [
        name for name in rows[-1] if name == "val_loss" or not name.startswith(("epoch", "learning_rate", "val_"))
    ]
    figure = new_figure(5.4, title)
    top, bottom = add_axes(figure, 2, 1, [3, 1])
    for i, name in enumerate(losses):
        draw_curve(top, rows, name, name.replace("val_", "validation ").replace("_", " "), i)
    log_scale_if_wide(top, [row[name] for row in rows for name in losses if name in row])
    top.set_ylabel("loss, mean of the epoch")
    top.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    draw_curve(bottom, rows, "learning_rate", "learning rate", 6)
    bottom.set_ylabel("learning rate")
    bottom.ticklabel_format(axis="y", style="sci", scilimits=(0, 0))
    for axes in (top, bottom):
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    return save(figure, path)


@styled
def plot_geometry(
    rows: Sequence[Row],
    path: str | Path,
    initial: Mapping[str, float] | None = None,
    title: str = "Latent geometry of the validation images",
) -> Path:
    """Latent geometry over epochs, one panel a score.

    Args:
        rows: one an epoch, with `epoch` and `val_<score>` for scores of `latent_geometry` and `alignment`.
        path: the picture.
        initial: the scores of the random initialisation, drawn as a dashed line.
        title: its title.
    """
    shown = [name for name in GEOMETRY if any(f"val_{name}" in row for row in rows)]
    if not shown:
        raise CxrError(
            "The history has no latent geometry (val_effective_rank, …): add LatentGeometry to the evaluator."
        )
    columns = min(2, len(shown))
    figure = new_figure(0.6 + 2.3 * ceil(len(shown) / columns), title)
    axes = add_axes(figure, ceil(len(shown) / columns), columns)
    for i, (panel, name) in enumerate(zip(axes, shown, strict=False)):
        draw_curve(panel, rows, f"val_{name}", "training", i)
        if initial is not None and name in initial:
            panel.axhline(initial[name], color=QUIET, linestyle="--", linewidth=1.2)
            panel.annotate(
                "random initialisation", (1, initial[name]), xycoords=("axes fraction", "data"), xytext=(-2, 3),
                textcoords="offset points", ha="right", fontsize=9, color=QUIET,
            )  # fmt: skip
        panel.set_title(GEOMETRY[name], loc="left")
        panel.set_xlabel("epoch")
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
        panel.margins(y=0.15)
    for spare in axes[len(shown) :]:
        spare.set_axis_off()
    return save(figure, path)


@styled
def plot_spectrum(
    spectra: Mapping[str, ArrayLike], path: str | Path, title: str = "Singular values of the image features"
) -> Path:
    """Singular-value spectra overlaid, each relative to its largest.

    Args:
        spectra: `{method: singular values, largest first}` (`scripts.metrics.spectrum`).
        path: the picture.
        title: its title.
    """
    figure = new_figure(4.4 + 0.2 * ((len(spectra) + 1) // 2), title)
    (axes,) = add_axes(figure)
    for i, (name, values) in enumerate(spectra.items()):
        draw_spectrum(axes, values, name, i)
    axes.set_ylim(bottom=max(axes.get_ylim()[0], 1e-5))
    axes.set_xlabel("index of the singular value")
    axes.set_ylabel("singular value / largest")
    figure.legend(loc="outside lower center", ncols=2)  # beside the curves, whose number is open
    return save(figure, path)


def draw_spectrum(axes: Axes, values: ArrayLike, name: str, index: int) -> None:
    """Singular values, largest first, relative to the largest; the index-th colour, the effective rank in the label."""
    found = np.asarray(values, dtype=float)
    found = found[found > 0]
    axes.set_yscale("log")
    _plain_numbers(axes)
    if not len(found):
        axes.plot([], [], color=color(index), label=f"{name}: collapsed to a point")
        return
    share = found / found.sum()
    rank = np.exp(-(share * np.log(share)).sum())
    axes.plot(
        np.arange(1, len(found) + 1), found / found[0], color=color(index), linewidth=2,
        marker=MARKERS[index % len(MARKERS)], markersize=5, linestyle=("-", "--")[index // len(MARKERS) % 2],
        markevery=(index * len(found) // 40, max(1, len(found) // 8)), label=f"{name} (effective rank {rank:.0f})",
    )  # fmt: skip


def log_scale_if_wide(axes: Axes, values: ArrayLike) -> None:
    """A logarithmic axis for positive losses that are more than 20 times apart."""
    found = np.asarray(values, dtype=float)
    if len(found) and found.min() > 0 and found.max() > 20 * found.min():
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        _plain_numbers(axes)


def _plain_numbers(axes: Axes) -> None:
    """0.01 and not 10^-2: formulas are switched off, for names with dollars (`style`)."""
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def draw_curve(axes: Axes, rows: Sequence[Row], name: str, label: str, index: int) -> None:
    """One number of the rows over the epochs that have it, in the index-th colour."""
    points = [(row["epoch"], row[name]) for row in rows if name in row]
    axes.plot(
        *zip(*points, strict=True), color=color(index), linewidth=2, label=label,
        marker=MARKERS[index % len(MARKERS)] if len(points) <= 40 else None, markersize=4,
        linestyle="--" if name == "val_loss" else "-",
    )  # fmt: skip
