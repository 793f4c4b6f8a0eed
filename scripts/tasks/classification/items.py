"""Items of classification: which findings each image is known to show, and which not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from ...data.items import finding_names, label_values
from ...data.label_policy import Policies, resolve_labels
from ...errors import CxrError
from ...metrics.binary import Mode
from ..items import Absent, Items, task_items


def classification_items(
    source: str | Path,
    names: Sequence[str],
    split: str | Sequence[str] | None = None,
    view: str | Sequence[str] | None = None,
    fraction: int = 100,
    fold: int | None = None,
    uncertain: Policies = "ignore",
    unknown: Policies = "ignore",
    classes: Mode = "multilabel",
    absent: Absent = "refuse",
) -> Items:
    """Items with `label`, float32 `(C,)`: 1, 0, NaN = left out. The columns are `label_<finding>`.

    Args:
        source, split, view, fraction, fold, absent: see `scripts.tasks.items.task_items`, also for the rest of an item.
        names: findings, in the order of the network's logits.
        uncertain, unknown: what such labels count as; see `scripts.data.label_policy.resolve_labels`.
        classes: "multiclass" wants exactly one finding an image.

    Raises:
        CxrError: see `scripts.tasks.items.task_items`.
    """

    def labels(table: pd.DataFrame, where: str, own: list[str | None]) -> Items:
        known = [name for name in own if name is not None]
        values = np.full((len(table), len(names)), np.nan, np.float32)
        values[:, [name is not None for name in own]] = label_values(table, known, where)
        values = resolve_labels(values, uncertain, unknown, names).astype(np.float32)
        values[:, [name is None for name in own]] = np.nan  # whatever the policy makes of cells that nobody filled
        if classes == "multiclass":
            values = _one_class(values, table.index, names, where)
        return [{} if np.isnan(row).all() else {"label": row} for row in values]

    return task_items(source, names, "labels", _names, labels, split, view, fraction, fold, absent)


def _names(table: pd.DataFrame, where: str) -> list[str]:
    return finding_names(table.columns)


def _one_class(values: np.ndarray, index: pd.Index, names: Sequence[str], where: str) -> np.ndarray:
    """The one class that an image has says no to the others, whose cells many tables leave empty."""
    counts = (values == 1).sum(axis=1)
    if len(wrong := np.flatnonzero((counts != 1) & ~np.isnan(values).all(axis=1))):
        raise CxrError(
            f"{where}: row {index[wrong[0]]} has {counts[wrong[0]]} of the findings {', '.join(names)}; "
            f"multiclass wants exactly one ({len(wrong)} such rows). Choose multilabel, or correct the labels."
        )
    return np.where((counts == 1)[:, None], np.nan_to_num(values), values)
