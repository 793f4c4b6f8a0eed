"""A montage of radiographs with the boxes and masks that go with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from numpy.typing import ArrayLike, NDArray

from scripts.errors import CxrError
from scripts.output.style import OVERLAY, add_axes, new_figure, save, styled


@dataclass(frozen=True)
class Panel:
    """One image of a montage.

    Attributes:
        image: `[H, W]` in [0, 1].
        title: a line above the image.
        boxes: xyxy in pixels of `image`.
        box_labels: name of each box.
        masks: `{name: [H, W]}`, drawn as outlines; an empty mask draws nothing.
    """

    image: NDArray[Any]
    title: str = ""
    boxes: Sequence[ArrayLike] = ()
    box_labels: Sequence[str] = ()
    masks: Mapping[str, NDArray[Any]] = field(default_factory=dict)


@styled
def plot_montage(panels: Sequence[Panel], path: str | Path, title: str = "", columns: int = 4) -> Path:
    """Images in reading order, masks as outlines, boxes as rectangles; a colour a name, explained below the images."""
    if not panels:
        raise CxrError(f"No image to draw in {Path(path).name}.")
    columns = min(columns, len(panels))
    rows = ceil(len(panels) / columns)
    masked = [name for panel in panels for name, mask in panel.masks.items() if np.any(mask)]
    boxed = [name for panel in panels for name in panel.box_labels]
    colors = {name: OVERLAY[i % len(OVERLAY)] for i, name in enumerate(dict.fromkeys([*masked, *boxed]))}
    figure = new_figure(rows * 9 / columns * 1.08 + 0.4 * bool(title) + 0.4 * bool(colors), title)
    axes = add_axes(figure, rows, columns)
    for axis in axes:
        axis.set_axis_off()
    for axis, panel in zip(axes, panels, strict=False):
        axis.imshow(panel.image, cmap="gray", vmin=0, vmax=1)
        axis.set_title(panel.title, fontsize=min(10, 30 / columns), loc="left")
        for name, mask in panel.masks.items():
            filled = np.asarray(mask) > 0
            if filled.any():
                axis.contour(filled, levels=[0.5], colors=[colors[name]], linewidths=1.5)
        for box, name in zip(panel.boxes, panel.box_labels or [""] * len(panel.boxes), strict=True):
            # Pixel centres are whole numbers in imshow, so the edge of pixel 0 lies at -0.5.
            x0, y0, x1, y1 = np.asarray(box, dtype=float) - 0.5
            edge = colors.get(name, OVERLAY[0])
            axis.add_patch(
                Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, edgecolor=edge, linewidth=1.8, linestyle="--")
            )
    if colors:
        lines = [Line2D([], [], color=colors[name], linewidth=2, label=name) for name in dict.fromkeys(masked)]
        lines += [
            Line2D([], [], color=colors[name], linewidth=2, linestyle="--", label=f"{name} (box)")
            for name in dict.fromkeys(boxed)
        ]
        figure.legend(handles=lines, loc="outside lower center", ncols=min(5, len(lines)))
    return save(figure, path)
