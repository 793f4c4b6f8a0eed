"""A montage of radiographs with the boxes and masks that go with them, true ones and predicted ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from numpy.typing import ArrayLike, NDArray

from ..errors import CxrError
from .style import OVERLAY, add_axes, new_figure, save, styled

TINT = 0.38  # opacity of a predicted mask


@dataclass(frozen=True)
class Found:
    """What a network says about one image.

    Attributes:
        boxes: xyxy in pixels of the image.
        box_labels: name of each box.
        scores: of each box, written beside it; may be left out.
        masks: `{name: [H, W]}`; an empty mask draws nothing.
    """

    boxes: Sequence[ArrayLike] = ()
    box_labels: Sequence[str] = ()
    scores: Sequence[float] = ()
    masks: Mapping[str, NDArray[Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Panel:
    """One image of a montage.

    Attributes:
        image: `[H, W]` in [0, 1].
        title: a line above the image.
        boxes: xyxy in pixels of `image`.
        box_labels: name of each box.
        masks: `{name: [H, W]}`, drawn as outlines; an empty mask draws nothing.
        found: a prediction to compare with: its boxes are dashed, its masks tinted areas; the true ones, above, are
            then all solid lines.
    """

    image: NDArray[Any]
    title: str = ""
    boxes: Sequence[ArrayLike] = ()
    box_labels: Sequence[str] = ()
    masks: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    found: Found | None = None


@styled
def plot_montage(panels: Sequence[Panel], path: str | Path, title: str = "", columns: int = 4) -> Path:
    """Images in reading order, masks as outlines, boxes as rectangles; a colour a name, explained below the images.

    A prediction has its truth's colour where there are several names, and another one where there is one.
    """
    if not panels:
        raise CxrError(f"No image to draw in {Path(path).name}.")
    columns = min(columns, len(panels))
    rows = ceil(len(panels) / columns)
    predicted = any(panel.found is not None for panel in panels)
    legend = _Legend(panels)
    figure = new_figure(rows * 9 / columns * 1.08 + 0.4 * bool(title) + 0.27 * legend.lines(), title)
    axes = add_axes(figure, rows, columns)
    for axis in axes:
        axis.set_axis_off()
    for axis, panel in zip(axes, panels, strict=False):
        axis.imshow(panel.image, cmap="gray", vmin=0, vmax=1)
        axis.set_title(panel.title, fontsize=min(10, 30 / columns), loc="left")
        if panel.found is not None:
            for name, mask in panel.found.masks.items():
                _tint(axis, mask, legend.found_colors[name] if np.any(mask) else "none")
        for name, mask in panel.masks.items():
            filled = np.asarray(mask) > 0
            if filled.any():
                axis.contour(filled, levels=[0.5], colors=[legend.colors[name]], linewidths=1.5)
        for box, name in zip(panel.boxes, panel.box_labels or [""] * len(panel.boxes), strict=True):
            draw_frame(axis, box, legend.colors.get(name, OVERLAY[0]), "-" if predicted else "--")
        if panel.found is not None:
            found = panel.found
            scores: Sequence[float | None] = found.scores or [None] * len(found.boxes)
            for box, name, score in zip(found.boxes, found.box_labels, scores, strict=True):
                draw_frame(axis, box, legend.found_colors[name], "--", score)
    if legend.handles:
        figure.legend(handles=legend.handles, loc="outside lower center", ncols=legend.columns)
    return save(figure, path)


class _Legend:
    """Which colour each name has, and what explains it."""

    def __init__(self, panels: Sequence[Panel]) -> None:
        found = [panel.found for panel in panels if panel.found is not None]
        masked = [name for panel in panels for name, mask in panel.masks.items() if np.any(np.asarray(mask) > 0)]
        boxed = [name for panel in panels for name in panel.box_labels]
        tinted = [name for one in found for name, mask in one.masks.items() if np.any(mask)]
        detected = [name for one in found for name in one.box_labels]
        names = list(dict.fromkeys([*masked, *boxed, *tinted, *detected]))
        self.colors = {name: OVERLAY[i % len(OVERLAY)] for i, name in enumerate(names)}
        self.found_colors = {names[0]: OVERLAY[1]} if len(names) == 1 else self.colors
        truth, guess, solid = (", truth", ", prediction", "-") if found else ("", "", "--")
        self.handles: list[Any] = [_line(self.colors[name], "-", name + truth) for name in dict.fromkeys(masked)]
        self.handles += [
            Patch(color=to_rgba(self.found_colors[name], 0.7), label=name + guess) for name in dict.fromkeys(tinted)
        ]
        self.handles += [_line(self.colors[name], solid, f"{name} (box){truth}") for name in dict.fromkeys(boxed)]
        self.handles += [
            _line(self.found_colors[name], "--", f"{name} (box){guess}") for name in dict.fromkeys(detected)
        ]
        longest = max((len(handle.get_label()) for handle in self.handles), default=1)
        self.columns = max(1, min(5, len(self.handles), 95 // (longest + 6)))

    def lines(self) -> float:
        """Rows of the legend, with what stands around them."""
        return ceil(len(self.handles) / self.columns) + 0.5 if self.handles else 0


def _line(shade: str, style: Any, label: str) -> Line2D:
    return Line2D([], [], color=shade, linewidth=2, linestyle=style, label=label)


def _tint(axes: Axes, mask: ArrayLike, shade: str) -> None:
    area = np.zeros((*np.shape(mask), 4))
    area[np.asarray(mask) > 0] = to_rgba(shade, TINT)
    axes.imshow(area)


def draw_frame(axes: Axes, box: ArrayLike, shade: str, style: str, score: float | None = None) -> None:
    """A box, xyxy in pixels of the image that the axes show, with its score beside it where it has one."""
    # Pixel centres are whole numbers in imshow, so the edge of pixel 0 lies at -0.5.
    x0, y0, x1, y1 = np.asarray(box, dtype=float) - 0.5
    axes.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, edgecolor=shade, linewidth=1.8, linestyle=style))
    if score is not None:
        axes.annotate(
            f"{score:.2f}".removeprefix("0"), (x0, y0), va="bottom", fontsize=7, color="black", annotation_clip=True,
            bbox={"facecolor": shade, "edgecolor": "none", "pad": 0.8},
        )  # fmt: skip
