"""One look for every picture: a colour-blind-safe palette, sizes legible at 900 pixels, atomic saving."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from scripts.atomic import writing

P = ParamSpec("P")

# Okabe & Ito 2008; yellow is left out because it is too light on white.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#4D4D4D")
# The same authors' light colours, for lines on grey images.
OVERLAY = ("#E69F00", "#56B4E9", "#F0E442", "#CC79A7", "#009E73", "#D55E00")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
QUIET = "#4D4D4D"
STYLE: Any = {
    "font.size": 11,
    "axes.titlesize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#E4E4E4",
    "grid.linewidth": 0.7,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "figure.titlesize": 14,
}


def styled(plot: Callable[P, Path]) -> Callable[P, Path]:
    """Draw in the common style, without touching matplotlib's global settings in a host process."""

    @wraps(plot)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> Path:
        with rc_context(STYLE):
            return plot(*args, **kwargs)

    return drawn


def new_figure(height: float, title: str) -> Figure:
    """A figure 9 inches wide. `Figure` itself and not pyplot, which would keep it and may want a display."""
    figure = Figure(figsize=(9, height), layout="constrained")
    if title:
        figure.suptitle(title, x=0.01, ha="left", fontweight="bold")
    return figure


def add_axes(figure: Figure, rows: int = 1, columns: int = 1, height_ratios: list[float] | None = None) -> list[Axes]:
    """`rows * columns` axes in reading order."""
    grid = figure.add_gridspec(rows, columns, height_ratios=height_ratios)
    return [figure.add_subplot(grid[row, column]) for row in range(rows) for column in range(columns)]


def color(index: int) -> str:
    """Colour of the index-th method or loss; repeats after seven."""
    return PALETTE[index % len(PALETTE)]


def save(figure: Figure, path: str | Path) -> Path:
    """Write the figure (format by suffix) and return its path."""
    path = Path(path)
    with writing(path) as part:
        figure.savefig(part, dpi=140, format=path.suffix.lstrip(".") or "png")
    return path
