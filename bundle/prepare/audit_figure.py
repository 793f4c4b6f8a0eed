"""The audit as a picture, OUT/audit.png."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from scripts.atomic import atomic_path
from scripts.data.image_store import ImageStore
from scripts.data.prepared import PreparedFolder

SAMPLES = 8
COLORS = {"train": "#4878a8", "val": "#e0a030", "test": "#58a066"}
MAX_BARS = 12


def draw(table: pd.DataFrame, result: dict[str, Any], out: Path) -> Path:
    """Splits, views, sizes, text lengths, labels, and a row of stored images."""
    used = table[table["exclude_reason"] == ""]
    figure = Figure(figsize=(13, 9.5), layout="constrained")
    FigureCanvasAgg(figure)
    with mpl.rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}):
        # A subfigure a row: the rows' axes then do not share columns, and each fills the width.
        rows: Any = figure.subfigures(3, height_ratios=(1, 1.2, 0.62))
        top, middle, bottom = rows
        splits, views, sizes = top.subplots(1, 3)
        _splits(splits, result)
        _bars(views, result["views"], "views (images)")
        _sizes(sizes, used)
        words, labels = middle.subplots(1, 2)
        _words(words, used)
        _labels(labels, result)
        _samples(bottom.subplots(1, SAMPLES), used, ImageStore(out))
        title = f"{result['images']['used']} of {result['images']['rows']} images in use; below: stored images"
        figure.suptitle(title, x=0.01, ha="left")
        picture = PreparedFolder(out).audit.with_suffix(".png")
        with atomic_path(picture) as path:
            figure.savefig(path, dpi=90, format="png")
    return picture


def _samples(row: np.ndarray, used: pd.DataFrame, store: ImageStore) -> None:
    for axes, position in zip(row, np.linspace(0, len(used) - 1, len(row)).astype(int), strict=True):
        axes.imshow(store[int(used["store_row"].iloc[position])], cmap="gray")
        axes.set_axis_off()


def _empty(axes: Axes, text: str) -> None:
    axes.text(0.5, 0.5, text, ha="center", transform=axes.transAxes)
    axes.set_axis_off()


def _splits(axes: Axes, result: dict[str, Any]) -> None:
    names = list(result["splits"])
    for offset, what in enumerate(("images", "patients")):
        heights = [result["splits"][name][what] for name in names]
        places = np.arange(len(names)) + 0.4 * offset
        bars = axes.bar(places, heights, 0.38, color=[COLORS[name] for name in names], alpha=1 - 0.5 * offset)
        axes.bar_label(bars, labels=[f"{h} {what}" for h in heights], fontsize=7)
    axes.set_xticks(np.arange(len(names)) + 0.2, names)
    axes.set_title("splits", loc="left")


def _bars(axes: Axes, counts: dict[str, int], title: str) -> None:
    shown = dict(list(counts.items())[:MAX_BARS])
    bars = axes.barh(list(shown)[::-1], list(shown.values())[::-1], color="#8898a8")
    axes.bar_label(bars, padding=2, fontsize=7)
    axes.set_title(title, loc="left")


def _sizes(axes: Axes, used: pd.DataFrame) -> None:
    axes.scatter(used["width"], used["height"], s=8, alpha=0.4, color="#4878a8", linewidths=0)
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    axes.set_aspect("equal")
    axes.set_title("original size: height over width (pixels)", loc="left")


def _words(axes: Axes, used: pd.DataFrame) -> None:
    lengths = [len(text.split()) for text in used["clean_text"] if text]
    axes.set_title(f"report length (words), {len(lengths)} images with text", loc="left")
    if lengths:
        axes.hist(lengths, bins=40, color="#8898a8")
        axes.axvline(float(np.median(lengths)), color="black", linewidth=1)
    else:
        _empty(axes, "no text")


def _labels(axes: Axes, result: dict[str, Any]) -> None:
    axes.set_title("positive labels (images)", loc="left")
    names, left = list(result["labels"]), np.zeros(len(result["labels"]))
    if not names:
        _empty(axes, "no labels")
        return
    for split in next(iter(result["labels"].values())):
        counts = np.array([result["labels"][name][split]["positive"] for name in names])
        axes.barh(names, counts, left=left, color=COLORS[split], label=split)
        left += counts
    axes.invert_yaxis()
    axes.legend(frameon=False)
