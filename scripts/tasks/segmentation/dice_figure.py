"""Dice of each image against the size of what was to be found: small findings are the ones that a mean hides."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.ticker import LogFormatter
from numpy.typing import ArrayLike

from ...errors import CxrError
from ...figures.style import MARKERS, add_axes, color, new_figure, save, styled


@styled
def plot_dice_by_size(
    images: Mapping[str, tuple[ArrayLike, ArrayLike]],
    path: str | Path,
    title: str = "Dice of each image against the size of its true mask",
) -> Path:
    """A point an image and mask, and each mask's mean as a line.

    Args:
        images: of each mask, the true mask's share of the image `[n]` and the Dice `[n]`, positive images only.
        path: the picture.
        title: its title.
    """
    found = {name: tuple(np.asarray(part, dtype=float) for part in pair) for name, pair in images.items()}
    found = {name: pair for name, pair in found.items() if len(pair[0])}
    if not found:
        raise CxrError(f"No image with a true mask to draw in {Path(path).name}.")
    figure = new_figure(4.6, title)
    (axes,) = add_axes(figure)
    for i, (name, (share, dice)) in enumerate(found.items()):
        label = f"{name}: mean {dice.mean():.3f} of {len(dice)}"
        axes.plot(
            100 * share, dice, MARKERS[i % len(MARKERS)], color=color(i), markersize=5, alpha=0.7, label=label, mew=0
        )
        axes.axhline(dice.mean(), color=color(i), linewidth=1)
    axes.set_xscale("log")
    for put in (axes.xaxis.set_major_formatter, axes.xaxis.set_minor_formatter):
        put(LogFormatter())  # 20 and not 2 x 10^1
    axes.set(xlabel="true mask, % of the image", ylabel="Dice", ylim=(-0.03, 1.03))
    figure.legend(loc="outside lower center", ncols=min(3, len(found)))
    return save(figure, path)
