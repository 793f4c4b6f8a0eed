"""FROC: sensitivity against false positives an image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from numpy.typing import ArrayLike

from scripts.output.style import styled


@styled
def plot_froc(
    curves: Mapping[str, Mapping[str, ArrayLike]],
    path: str | Path,
    title: str = "FROC: sensitivity at false positives an image",
    marks: Sequence[float] = (0.5, 1, 2),
    trivial: Mapping[str, ArrayLike] | None = None,
) -> Path:
    """Free-response ROC, one curve a class.

    Args:
        curves: `{name: {"fp": [k], "sensitivity": [k]}}`, ascending; "lo" and "hi" `[k]` draw a band. An empty or
            absent curve is named as not scored.
        path: the picture.
        title: its title.
        marks: false positives an image where the sensitivity is marked and written into the legend.
        trivial: one further curve of the same form, dashed.
    """
    raise NotImplementedError
