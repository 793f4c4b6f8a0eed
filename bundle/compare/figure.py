"""The comparison as one figure: a panel a score, a line a method with its encoder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import EngFormatter, NullFormatter

from scripts.figures.style import QUIET, add_axes, color, new_figure, save, styled
from scripts.tables.scores import ScoreRow

CHANCE = (0, (2, 1))  # dashes
COSTS = ("trained parameters", "seconds a step")
SCORES = ("zero-shot macro AUROC", "R@10 image→report", "effective rank")


@styled
def plot_comparison(rows: Sequence[ScoreRow], path: str | Path, title: str = "Methods with one budget") -> Path:
    """Draw costs, the tasks' scores and the space's scores side by side.

    Args:
        rows: of `comparison_rows`.
        path: the picture.
        title: its title.
    """
    by_name = {row.name: row for row in rows}
    tasks = [row.name for row in rows if row.name.endswith("%") or "% (" in row.name]
    shown = [by_name[name] for name in (*COSTS, *tasks, *SCORES) if name in by_name]
    shown = [row for row in shown if any(score.value is not None for score in row.scores.values())]
    methods = list(dict.fromkeys(name for row in shown for name in row.scores))
    trained = {name for row in shown if row.name == COSTS[0] for name, score in row.scores.items() if score.value}
    # What nothing was trained for, the baseline of the others, is grey.
    colors = {name: color(place) if name in trained else QUIET for place, name in enumerate(methods)}
    across = 2
    down = -(-len(shown) // across)
    figure = new_figure(0.8 + down * (0.9 + 0.27 * len(methods)), title)
    panels = add_axes(figure, down, across)
    for axes, row in zip(panels, shown):
        _panel(axes, row, colors)
    for axes in panels[len(shown) :]:
        axes.set_visible(False)
    for place, axes in enumerate(panels):
        if place % across:
            axes.set_yticklabels([])
    return save(figure, path)


def _panel(axes: Axes, row: ScoreRow, colors: Mapping[str, str]) -> None:
    for place, method in enumerate(colors):
        score = row.scores.get(method)
        if score is None or score.value is None:
            axes.text(0.01, place, "–", transform=axes.get_yaxis_transform(), va="center", color=QUIET)
            continue
        if score.lo is not None and score.hi is not None:
            axes.hlines(place, score.lo, score.hi, color=colors[method], linewidth=1.6)
        axes.plot(score.value, place, "o", color=colors[method], markersize=6)
    if row.trivial is not None:
        axes.axvline(row.trivial, color=QUIET, linestyle=CHANCE, linewidth=1.2)
    values = np.array([score.value for score in row.scores.values() if score.value], dtype=float)
    if row.name in COSTS and len(values) and values.min() > 0:
        axes.set_xscale("log")
        axes.set_xlim(10 ** np.floor(np.log10(values.min())), 10 ** np.ceil(np.log10(values.max() * 1.01)))
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
        axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_title(row.name, loc="left", fontsize=8.5)
    axes.set_yticks(range(len(colors)), list(colors))
    axes.set_ylim(len(colors) - 0.4, -0.6)
