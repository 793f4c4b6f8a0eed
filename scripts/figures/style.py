"""One look for every picture: a colour-blind-safe palette, sizes legible at 900 pixels, atomic saving."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..atomic import writing

P = ParamSpec("P")

# Okabe & Ito 2008; yellow is left out because it is too light on white.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#4D4D4D")
# The same authors' light colours, for lines on grey images.
OVERLAY = ("#E69F00", "#56B4E9", "#F0E442", "#CC79A7", "#009E73", "#D55E00")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
QUIET = "#4D4D4D"
STYLE: Any = {
    "text.parse_math": False,  # a name with two dollars is no formula
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


def add_heading(axes: Axes, lines: Sequence[tuple[str, str]]) -> None:
    """Lines `(text, colour)` above an axes, the first one bold; one that is wider than its axes does not widen it."""
    # An empty title of as many lines keeps the room.
    axes.set_title("\n".join([" "] * len(lines)), loc="left", fontsize=9.5)
    for i, (text, shade) in enumerate(reversed(lines)):
        line = axes.annotate(
            text, (0, 1), xytext=(0, 6 + 13.5 * i), xycoords="axes fraction", textcoords="offset points", color=shade,
            fontsize=9.5, fontweight="bold" if i == len(lines) - 1 else "normal",
        )  # fmt: skip
        line.set_in_layout(False)


def short(text: str, most: int) -> str:
    """The text, cut to `most` characters where a longer one would run into its neighbour."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def save(figure: Figure, path: str | Path) -> Path:
    """Write the figure (format by suffix) and return its path."""
    path = Path(path)
    with writing(path) as part:
        figure.savefig(part, dpi=140, format=path.suffix.lstrip(".") or "png")
    return path
