"""Truth and prediction on a radiograph: panels for `plot_montage`, and heat maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import ArrayLike, NDArray

from scripts.output.montage import Panel
from scripts.output.style import styled


def mask_panel(
    grey: NDArray[Any], names: Sequence[str], truth: ArrayLike, predicted: ArrayLike, title: str = ""
) -> Panel:
    """A panel of masks: truth as outlines, predictions as translucent areas.

    Args:
        grey: `[S, S]` in [0, 1].
        names: of the K masks.
        truth: `[K, S, S]` of 1, 0 and -1 (unknown: not drawn).
        predicted: `[K, S, S]` of 1 and 0.
        title: line above the image.
    """
    raise NotImplementedError


def box_panel(
    grey: NDArray[Any],
    names: Sequence[str],
    truth: tuple[ArrayLike, ArrayLike],
    found: tuple[ArrayLike, ArrayLike, ArrayLike],
    title: str = "",
    threshold: float = 0.0,
    most: int = 10,
) -> Panel:
    """A panel of boxes: truth solid, detections dashed with their score.

    Args:
        grey: `[S, S]` in [0, 1].
        names: of the classes.
        truth: boxes `[n, 4]` xyxy in pixels of `grey`, and their class index `[n]`.
        found: boxes `[m, 4]`, class index `[m]`, score `[m]`.
        title: line above the image.
        threshold: detections below this score are left out.
        most: detections drawn at most, the surest first.
    """
    raise NotImplementedError


@dataclass(frozen=True)
class HeatPanel:
    """One image with a heat map over it: `grey` and `heat` `[S, S]` in [0, 1], and a line above."""

    grey: NDArray[Any]
    heat: NDArray[Any]
    title: str = ""


@styled
def plot_heat_maps(panels: Sequence[HeatPanel], path: str | Path, title: str = "", columns: int = 3) -> Path:
    """Each image beside itself with its heat map, in reading order."""
    raise NotImplementedError
