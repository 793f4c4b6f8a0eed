"""Items of segmentation: references to the masks of each image."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from ...data.sources import load_table
from ...data.studies import path_columns
from ..items import Items, task_items


def segmentation_items(
    source: str | Path,
    names: Sequence[str],
    split: str | Sequence[str] | None = None,
    view: str | Sequence[str] | None = None,
    fraction: int = 100,
    fold: int | None = None,
) -> Items:
    """Items with `label`, K references to masks, which `LoadMasksd` reads. The columns are `mask_<name>`.

    Args:
        source, split, view, fraction, fold: see `scripts.tasks.items.task_items`, also for the rest of an item.
        names: masks, in the order of the network's maps; see `mask_names`.

    Raises:
        CxrError: see `scripts.tasks.items.task_items`.
    """

    def masks(table: pd.DataFrame, where: str, own: list[str | None]) -> Items:
        columns = [table["mask" if name == "mask" else f"mask_{name}"].fillna("") for name in own]
        return [{"label": list(row)} if any(row) else {} for row in zip(*columns, strict=True)]

    return task_items(source, names, "masks", _names, masks, split, view, fraction, fold)


def mask_names(source: str | Path) -> list[str]:
    """Names that a source has masks of."""
    return _names(*load_table(source))


def _names(table: pd.DataFrame, where: str) -> list[str]:
    return [str(column).removeprefix("mask_") for column in path_columns(table)[1:]]
