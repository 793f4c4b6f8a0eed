"""Truth and prediction on a radiograph: panels for `plot_montage`, and heat maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import CxrError
from .montage import Found, Panel, draw_frame
from .style import OVERLAY, add_axes, new_figure, save, styled


def mask_panel(
    grey: NDArray[Any], names: Sequence[str], truth: ArrayLike, predicted: ArrayLike | None = None, title: str = ""
) -> Panel:
    """A panel of masks: truth as outlines, predictions as tinted areas.

    Args:
        grey: `[S, S]` in [0, 1].
        names: of the K masks.
        truth: `[K, S, S]` of 1, 0 and -1 (unknown: not drawn).
        predicted: `[K, S, S]` of 1 and 0; None = the truth alone.
        title: line above the image.
    """
    known = {name: np.asarray(mask) > 0 for name, mask in zip(names, np.asarray(truth), strict=True)}
    if predicted is None:
        return Panel(grey, title, masks=known)
    found = {name: np.asarray(mask) > 0 for name, mask in zip(names, np.asarray(predicted), strict=True)}
    return Panel(grey, title, masks=known, found=Found(masks=found))


def box_panel(
    grey: NDArray[Any],
    names: Sequence[str],
    truth: tuple[ArrayLike, ArrayLike],
    found: tuple[ArrayLike, ArrayLike, ArrayLike] | None = None,
    title: str = "",
    threshold: float = 0.0,
    most: int = 10,
) -> Panel:
    """A panel of boxes: truth solid, detections dashed with their score.

    Args:
        grey: `[S, S]` in [0, 1].
        names: of the classes.
        truth: boxes `[n, 4]` xyxy in pixels of `grey`, and their class index `[n]`.
        found: boxes `[m, 4]`, class index `[m]`, score `[m]`; None = the truth alone.
        title: line above the image.
        threshold: detections below this score are left out.
        most: detections drawn at most, the surest first.
    """
    boxes, labels = (np.asarray(part) for part in truth)
    panel = Panel(grey, title, list(boxes.reshape(-1, 4)), [names[int(label)] for label in labels])
    if found is None:
        return panel
    detected, classes, scores = (np.asarray(part) for part in found)
    order = [i for i in np.argsort(-scores, kind="stable") if scores[i] >= threshold][:most]
    said = Found(
        list(detected.reshape(-1, 4)[order]), [names[int(classes[i])] for i in order], [float(scores[i]) for i in order]
    )
    return Panel(panel.image, title, panel.boxes, panel.box_labels, found=said)


@dataclass(frozen=True)
class HeatPanel:
    """One image with a heat map over it.

    Attributes:
        grey, heat: `[H, W]` in [0, 1].
        title: a line above.
        boxes: xyxy in pixels of `grey`, drawn on both.
        point: x and y of the pixel that a cross marks in the map.
    """

    grey: NDArray[Any]
    heat: NDArray[Any]
    title: str = ""
    boxes: Sequence[ArrayLike] = ()
    point: tuple[int, int] | None = None


@styled
def plot_heat_maps(panels: Sequence[HeatPanel], path: str | Path, title: str = "", columns: int = 2) -> Path:
    """Each image beside itself with its heat map, in reading order."""
    if not panels:
        raise CxrError(f"No image to draw in {Path(path).name}.")
    columns = min(columns, len(panels))
    rows = ceil(len(panels) / columns)
    figure = new_figure(rows * (9 / (2 * columns) * 1.02 + 0.3) + 0.5 * bool(title), title)
    axes = add_axes(figure, rows, 2 * columns)
    for axis in axes:
        axis.set_axis_off()
    for i, panel in enumerate(panels):
        plain, heated = axes[2 * i], axes[2 * i + 1]
        for axis in (plain, heated):
            axis.imshow(panel.grey, cmap="gray", vmin=0, vmax=1)
            for box in panel.boxes:
                draw_frame(axis, box, OVERLAY[1], "-")
        # Transparent where there is no heat: what the network does not look at stays legible.
        heated.imshow(panel.heat, cmap="inferno", vmin=0, vmax=1, alpha=0.65 * np.clip(panel.heat, 0, 1) ** 0.5)
        if panel.point is not None:
            heated.plot(*panel.point, marker="+", color="white", markersize=9, markeredgewidth=2)
        line = plain.set_title(panel.title, fontsize=9, loc="left")
        line.set_in_layout(False)  # it may be wider than its image
        if not np.any(panel.heat > 0):
            heated.text(
                0.5, 0.03, "nothing in it speaks for this", color="white", fontsize=8, ha="center",
                transform=heated.transAxes, bbox={"facecolor": "black", "edgecolor": "none", "alpha": 0.6, "pad": 2},
            )  # fmt: skip
        heated.set_title(" ", fontsize=9)
    return save(figure, path)
