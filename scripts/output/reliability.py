"""Reliability: how often a probability comes true."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from numpy.typing import ArrayLike

from scripts.output.style import styled
from scripts.output.tables import Score


@styled
def plot_reliability(
    truth: ArrayLike,
    probabilities: Mapping[str, ArrayLike],
    names: Sequence[str],
    path: str | Path,
    title: str = "Reliability: predicted and observed share of positives",
    ece: Mapping[str, Mapping[str, Score]] | None = None,
    bins: int = 10,
) -> Path:
    """Observed share of positives against the predicted probability, one panel a class, in bins of equal count.

    Args:
        truth: `[n, C]` of 1, 0 and NaN (left out).
        probabilities: `{kind: [n, C]}`, as {"as trained": …, "temperature 1.4": …}; two at most are readable.
        names: of the C classes.
        path: the picture.
        title: its title.
        ece: `{kind: {name: Score}}`, written into the panels.
        bins: of equal count; fewer where many predictions are equal.
    """
    raise NotImplementedError
