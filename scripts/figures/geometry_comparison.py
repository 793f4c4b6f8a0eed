"""Latent geometry of several methods in one picture."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from ..errors import CxrError
from ..metrics.collapse import first_collapse
from .style import MARKERS, add_axes, color, new_figure, save, styled
from .training import GEOMETRY, Row, draw_spectrum, log_scale_if_wide

STYLES = ("-", "--", ":")  # colours repeat after seven methods


@styled
def plot_geometry_comparison(
    histories: Mapping[str, Sequence[Row]],
    path: str | Path,
    spectra: Mapping[str, Sequence[float]] | None = None,
    title: str = "Latent geometry of the validation images",
) -> Path:
    """Latent geometry of several methods over epochs, one panel a score; compare them on one data set only.

    A method that collapsed says so in the legend, and a black cross marks where. Feature std is in each method's own
    feature units.

    Args:
        histories: `{method: rows}` of their `history.json`: `epoch`, `val_<score>` for scores of `latent_geometry` and
            `alignment`, `val_collapsed`. The rows of several seeds may follow each other: the curve is then their mean
            and the band runs from the smallest to the largest.
        path: the picture.
        spectra: `{method: singular values, largest first}` of the trained encoders, for one more panel.
        title: its title.

    Raises:
        CxrError: no history holds any of the scores.
    """
    spectra = spectra or {}
    # On one data set the rank share has the effective rank's shape.
    scores = [name for name in GEOMETRY if name != "rank_share"]
    shown = [name for name in scores if any(f"val_{name}" in row for rows in histories.values() for row in rows)]
    if not shown:
        raise CxrError(
            "None of the histories has latent geometry (val_effective_rank, …): there is nothing to compare."
        )
    methods = list(dict.fromkeys((*histories, *spectra)))
    panels = len(shown) + bool(spectra)
    columns = min(2, panels)
    figure = new_figure(0.6 + 2.4 * ceil(panels / columns) + 0.25 * ceil(len(methods) / 3), title)
    axes = add_axes(figure, ceil(panels / columns), columns)
    for panel, name in zip(axes, shown, strict=False):
        key = f"val_{name}"
        for i, method in enumerate(methods):
            _draw_method(panel, histories.get(method, ()), key, i)
        panel.set_title(GEOMETRY[name], loc="left")
        panel.set_xlabel("epoch")
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
        if name == "feature_std":
            log_scale_if_wide(panel, [row[key] for rows in histories.values() for row in rows if key in row])
    if spectra:
        for method, values in spectra.items():
            draw_spectrum(axes[len(shown)], values, "", methods.index(method))
        axes[len(shown)].set_title("Singular values of the features / largest", loc="left")
        axes[len(shown)].set_xlabel("index of the singular value")
    for spare in axes[panels:]:
        spare.set_axis_off()
    handles = [
        axes[0].plot([], [], label=_label(method, histories.get(method, ())), **_look(i))[0]
        for i, method in enumerate(methods)
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=min(3, len(methods)))
    return save(figure, path)


def by_epoch(rows: Sequence[Row], name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Epochs `[e]`, and `[e, 3]` mean, smallest and largest of that number over the rows of each epoch."""
    found: dict[float, list[float]] = defaultdict(list)
    for row in rows:
        if name in row:
            found[row["epoch"]].append(row[name])
    epochs = sorted(found)
    return np.array(epochs), np.array([(np.mean(found[e]), min(found[e]), max(found[e])) for e in epochs]).reshape(
        -1, 3
    )


def _draw_method(axes: Axes, rows: Sequence[Row], name: str, index: int) -> None:
    epochs, values = by_epoch(rows, name)
    if not len(epochs):
        return
    axes.plot(epochs, values[:, 0], marker=MARKERS[index % len(MARKERS)] if len(epochs) == 1 else None, **_look(index))
    if (values[:, 1] < values[:, 2]).any():
        axes.fill_between(epochs, values[:, 1], values[:, 2], color=color(index), alpha=0.18, linewidth=0)
    first = first_collapse(rows)
    if first is not None and first in epochs:
        at = float(values[epochs == first, 0][0])
        axes.plot(first, at, marker="X", markersize=8, color="black", markeredgecolor="white", zorder=4)


def _label(method: str, rows: Sequence[Row]) -> str:
    first = first_collapse(rows)
    return method if first is None else f"{method} (collapsed, epoch {first:.0f})"


def _look(index: int) -> dict[str, Any]:
    return {"color": color(index), "linestyle": STYLES[index // 7 % len(STYLES)], "linewidth": 2}
