"""Learning curves of any task, from the rows of its history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from scripts.output.style import styled


@styled
def plot_learning_curves(
    rows: Sequence[Mapping[str, float]], path: str | Path, title: str = "Training", main: str = ""
) -> Path:
    """Losses, validation scores and learning rate over the epochs, one panel each.

    Args:
        rows: one an epoch (`history.json`): `epoch`, `learning_rate`, losses, `val_loss`, other `val_<score>`.
        path: the picture.
        title: its title.
        main: the score that chooses the weights: drawn bold, its best epoch marked.
    """
    raise NotImplementedError
