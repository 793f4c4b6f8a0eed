"""FROC: sensitivity against false positives an image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike, NDArray

from ...figures.style import MARKERS, QUIET, add_axes, color, new_figure, save, short, styled

TICKS = (0.125, 0.25, 0.5, 1, 2, 4, 8)
BANDS = 4  # curves; the bands of more would hide each other
GRID = np.geomspace(TICKS[0], TICKS[-1], 400)


@styled
def plot_froc(
    curves: Mapping[str, Mapping[str, ArrayLike]],
    path: str | Path,
    title: str = "FROC: sensitivity at false positives an image",
    marks: Sequence[float] = (0.5, 1, 2),
    trivial: Mapping[str, ArrayLike] | None = None,
) -> Path:
    """Free-response ROC, one curve a class, on a logarithmic axis from 1/8 to 8 false positives an image.

    Args:
        curves: `{name: {"fp": [k], "sensitivity": [k]}}`, both ascending; "lo" and "hi" `[k]` draw a band. A class
            without points is named as not scored.
        path: the picture.
        title: its title.
        marks: false positives an image at which the sensitivity is marked, and written into the legend.
        trivial: one further curve of the same form, dashed.
    """
    figure = new_figure(5.2 + 0.24 * ((len(curves) + 2) // 2), title)
    (axes,) = add_axes(figure)
    handles = []
    for i, (name, curve) in enumerate(curves.items()):
        shade, marker = color(i), MARKERS[i % len(MARKERS)]
        line: Any = ("-", "--", ":")[i // len(MARKERS) % 3]
        label = short(name, 30)
        if np.size(curve.get("fp", ())) == 0:
            handles.append(Line2D([], [], color=shade, marker=marker, linestyle="", label=f"{label}: not scored"))
            continue
        if "lo" in curve and "hi" in curve and len(curves) <= BANDS:
            axes.fill_between(
                GRID, at_fp(curve, GRID, "lo"), at_fp(curve, GRID, "hi"), color=shade, alpha=0.18, linewidth=0
            )
        axes.plot(GRID, at_fp(curve, GRID), color=shade, linewidth=2, linestyle=line)
        reached = at_fp(curve, np.asarray(marks, dtype=float))
        axes.plot(marks, reached, color=shade, marker=marker, markersize=6, linestyle="", clip_on=False)
        told = " / ".join(f"{value:.2f}".removeprefix("0") for value in reached)
        handles.append(Line2D([], [], color=shade, marker=marker, linestyle=line, label=f"{label}: {told}"))
    if trivial is not None:
        axes.plot(GRID, at_fp(trivial, GRID), color=QUIET, linestyle="--", linewidth=1.4)
        handles.append(Line2D([], [], color=QUIET, linestyle="--", label="trivial"))
    axes.set_xscale("log")
    axes.set_xticks(TICKS, ["1/8", "1/4", "1/2", "1", "2", "4", "8"])
    axes.minorticks_off()
    axes.set(xlim=(TICKS[0], TICKS[-1]), ylim=(-0.02, 1.02))
    axes.set_xlabel("false positives an image")
    axes.set_ylabel("sensitivity")
    where = " / ".join(f"{mark:g}" for mark in marks)
    legend = figure.legend(handles=handles, loc="outside lower center", ncols=2, title=f"sensitivity at {where}")
    legend.set_alignment("left")
    return save(figure, path)


def at_fp(curve: Mapping[str, ArrayLike], fp: NDArray[np.float64], key: str = "sensitivity") -> NDArray[np.float64]:
    """Height of the curve's steps at `fp`: what is reached without more false positives than that; 0 before all."""
    place = np.searchsorted(np.asarray(curve["fp"], dtype=float), fp, side="right")
    return np.r_[0.0, np.asarray(curve[key], dtype=float)][place]
