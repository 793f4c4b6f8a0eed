"""The sweep as one figure: score against label fraction, a panel a task and mode, a line an initialisation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from scripts.figures.style import MARKERS, QUIET, add_axes, color, new_figure, save, styled
from scripts.tasks.registry import TASKS

TRIVIAL: Any = (0, (2, 1))  # dashes


@styled
def plot_sweep(frame: pd.DataFrame, path: str | Path, title: str = "Label efficiency") -> Path:
    """Draw the means over seeds with their 95 % intervals over patients.

    Args:
        frame: of `aggregate`.
        path: the picture.
        title: its title.
    """
    means = frame[frame["kind"] == "mean"]
    tasks, modes, inits = (list(dict.fromkeys(means[column])) for column in ("task", "mode", "init"))
    figure = new_figure(1.1 + 3.1 * len(tasks), title)
    panels = iter(add_axes(figure, len(tasks), len(modes)))
    for task in tasks:
        of_task = means[means["task"] == task]
        row = [next(panels) for _ in modes]
        for axes, mode in zip(row, modes):
            panel = of_task[of_task["mode"] == mode]
            _panel(axes, panel, inits)
            axes.set_title(f"{task}, encoder {mode}   (dashes: {TASKS[task].trivial})", loc="left", fontsize=10)
            axes.set_ylabel(TASKS[task].headline)
            if task == tasks[-1]:
                axes.set_xlabel("labelled share of the training patients (images)")
        limits = _limits(of_task)
        for axes in row:
            axes.set_ylim(limits)  # frozen and tuned beside each other on one scale
    handles = [
        Line2D([], [], color=color(place), marker=MARKERS[place % len(MARKERS)], label=init)
        for place, init in enumerate(inits)
    ]
    handles.append(Line2D([], [], color=QUIET, linestyle=TRIVIAL, label="trivial answer"))
    counts = means[means["value"].notna()].groupby(["task", "mode"])["names"].agg(lambda names: names.nunique())
    if (counts > 1).any():
        hollow = "hollow: mean over fewer names"
        handles.append(Line2D([], [], color=QUIET, marker="o", linestyle="", markerfacecolor="white", label=hollow))
    figure.legend(handles=handles, loc="outside lower center", ncols=min(3, len(handles)))
    return save(figure, path)


def _panel(axes: Axes, panel: pd.DataFrame, inits: list[str]) -> None:
    fractions = sorted(panel["fraction"].unique())
    for place, init in enumerate(inits):
        line = panel[panel["init"] == init].sort_values("fraction").dropna(subset="value")
        # A little apart from each other, so that intervals at one fraction can be told apart.
        x = line["fraction"].to_numpy(float) * 1.05 ** (place - (len(inits) - 1) / 2)
        lo, hi = (line[end].to_numpy(float) for end in ("lo", "hi"))
        shade, marker = color(place), MARKERS[place % len(MARKERS)]
        value = line["value"].to_numpy(float)
        axes.plot(x, value, color=shade, marker=marker, markersize=6, linewidth=1.8)
        fewer = line["names"].str.count(", ").to_numpy() < panel["names"].str.count(", ").max()
        axes.plot(x[fewer], value[fewer], marker, color=shade, markerfacecolor="white", markersize=6)
        axes.fill_between(x, lo, hi, color=shade, alpha=0.12, linewidth=0)
        axes.vlines(x, lo, hi, color=shade, linewidth=1.2)
    trivial = panel.groupby("fraction")["trivial"].first().dropna()
    if len(trivial):
        # Over the whole width, also with one fraction.
        x, level = np.r_[1e-9, trivial.index, 1e9], np.r_[trivial.iloc[0], trivial, trivial.iloc[-1]]
        axes.plot(x, level, color=QUIET, linestyle=TRIVIAL, linewidth=1.2)
    axes.set_xscale("log")
    axes.set_xticks(fractions, [_tick(panel, fraction) for fraction in fractions])
    axes.minorticks_off()
    axes.set_xlim(fractions[0] / 1.6, fractions[-1] * 1.6)


def _tick(panel: pd.DataFrame, fraction: int) -> str:
    images = panel.loc[panel["fraction"] == fraction, "train_images"].max()
    return f"{fraction} %" if np.isnan(images) else f"{fraction} %\n({images:g})"


def _limits(means: pd.DataFrame) -> tuple[float, float]:
    """A little more than what is drawn."""
    seen = means[["value", "lo", "hi", "trivial"]].to_numpy(float)
    if np.isnan(seen).all():
        return 0.0, 1.0
    low, high = float(np.nanmin(seen)), float(np.nanmax(seen))
    room = max(0.06 * (high - low), 0.01)
    return low - room, high + room
