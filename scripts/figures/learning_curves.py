"""Learning curves of any task, from the rows of its history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from ..errors import CxrError
from .style import QUIET, add_axes, color, new_figure, save, short, styled
from .training import draw_curve, log_scale_if_wide

Row = Mapping[str, float]
VALIDATION_LOSS = ("val_loss", "val_val_loss")
MOST = 7  # curves of one panel; more share no readable colour


@styled
def plot_learning_curves(rows: Sequence[Row], path: str | Path, title: str = "Training", main: str = "") -> Path:
    """Losses, validation scores and learning rate over the epochs, one panel each.

    Scores of single classes (`val_auroc_Edema` beside `val_auroc`) are thin grey lines below those of all classes.

    Args:
        rows: one an epoch (`history.json`): `epoch`, `learning_rate`, losses, `val_loss`, other `val_<score>`.
        path: the picture.
        title: its title.
        main: the score, without `val_`, that chooses the weights: its best epoch is marked.
    """
    if not rows:
        raise CxrError("No epoch has finished yet: there is no training curve to draw.")
    columns = list(dict.fromkeys(name for row in rows for name in row))
    losses = [name for name in columns if not name.startswith(("epoch", "learning_rate", "val_"))]
    losses += [name for name in VALIDATION_LOSS if name in columns][:1]
    overall, single = _scores(columns, f"val_{main}")
    ratios = [2.4, 2.4, 1.0] if overall else [2.4, 1.0]
    figure = new_figure(1.2 + 1.1 * sum(ratios), title)
    top, *middle, bottom = add_axes(figure, len(ratios), 1, ratios)
    for i, name in enumerate(losses[: MOST - 1]):
        draw_curve(top, rows, name, "validation loss" if name in VALIDATION_LOSS else name.replace("_", " "), i)
        if name in VALIDATION_LOSS:
            top.lines[-1].set_linestyle("--")
    log_scale_if_wide(top, [row[name] for row in rows for name in losses if name in row])
    top.set_ylabel("loss, mean of epoch")
    top.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    for axes in middle:
        _draw_scores(axes, rows, overall, single, f"val_{main}")
    draw_curve(bottom, rows, "learning_rate", "learning rate", 6)
    bottom.set_ylabel("learning rate")
    bottom.ticklabel_format(axis="y", style="sci", scilimits=(0, 0))
    for axes in (top, *middle, bottom):
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        if len(rows) == 1:
            axes.set_xlim(rows[0]["epoch"] - 1, rows[0]["epoch"] + 1)
    return save(figure, path)


def _scores(columns: Sequence[str], main: str) -> tuple[list[str], list[str]]:
    """Validation scores of all classes together, the main one first, and those of single classes."""
    names = [name for name in columns if name.startswith("val_") and name not in VALIDATION_LOSS]
    names = [name for name in names if not name.endswith("negative_loss")]
    names = sorted(names, key=lambda name: name != main)
    single = [name for name in names if any(name.startswith(f"{other}_") for other in names)]
    return [name for name in names if name not in single], single


def _draw_scores(axes: Axes, rows: Sequence[Row], overall: list[str], single: list[str], main: str) -> None:
    for i, name in enumerate(single):
        points = [(row["epoch"], row[name]) for row in rows if name in row]
        label = "single classes" if i == 0 else None
        axes.plot(*zip(*points, strict=True), color="#B0B0B0", linewidth=0.9, label=label)
    # Equal ones are one curve: MONAI's key metric stands twice, and without empty masks two forms of Dice are one.
    curves: dict[tuple[float | None, ...], list[str]] = {}
    for name in overall:
        curves.setdefault(tuple(row.get(name) for row in rows), []).append(name)
    for i, names in enumerate(list(curves.values())[:MOST]):
        label = "\n= ".join(short(_words(name), 22) for name in names)
        draw_curve(axes, rows, names[0], label, i)
        axes.lines[-1].set_zorder(3 - i / MOST)  # the main one, which is first, on top
    values = np.array([row.get(main, np.nan) for row in rows], dtype=float)
    if np.isfinite(values).any():
        best = int(np.nanargmax(values))
        epoch = rows[best]["epoch"]
        axes.axvline(epoch, color=QUIET, linewidth=1, linestyle=":")
        axes.plot(epoch, values[best], marker="o", markersize=11, fillstyle="none", color=color(0), linestyle="")
        axes.set_title(f"best {_words(main)} {values[best]:.3f} at epoch {epoch:.0f}", loc="right", fontsize=10)
    axes.set_ylabel("validation score")
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))


def _words(name: str) -> str:
    return name.removeprefix("val_").replace("_", " ")
