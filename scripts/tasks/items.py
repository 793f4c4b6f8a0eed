"""Items of the downstream tasks: findings, masks or boxes beside the image, from a prepared folder or raw files."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from ..data.boxes import read_boxes
from ..data.items import did_you_mean, keep_rows, label_values, make_items, usable_rows
from ..data.label_policy import Policies, resolve_labels
from ..data.sources import load_table
from ..data.splits import split_by_fold
from ..data.studies import check_rows, path_columns
from ..errors import CxrError

Task = Literal["classification", "segmentation", "detection"]
Items = list[dict[str, Any]]
logger = logging.getLogger(__name__)


def task_items(
    source: str | Path,
    task: Task,
    names: Sequence[str],
    split: str | Sequence[str] | None = None,
    view: str | Sequence[str] | None = None,
    fraction: int = 100,
    fold: int | None = None,
    uncertain: Policies = "ignore",
    unknown: Policies = "ignore",
    classes: Literal["multilabel", "multiclass"] = "multilabel",
) -> Items:
    """Items of a task; images about which nothing is known are left out, and counted in the log.

    Every item has `image, image_id, patient_id, split, view, sex` ("" unknown), `age` (NaN unknown), `spacing` (float32
    `[2]`, mm, row and column, NaN unknown) and, where the table knows them, `height, width` and `itk_affine` (float32
    `[4, 4]`, see `scripts.radiograph.itk_geometry`) of the original, and

    * classification: `label`, float32 `(C,)`: 1, 0, NaN = left out;
    * segmentation: `label`, K references to masks, which `LoadMasksd` reads;
    * detection: `box`, float32 `(n, 4)`, xyxy in original pixels, and `label`, int64 `(n,)`, the place in `names`. An
      image that is known to hold no box of these names is a negative, n = 0.

    Args:
        source: a folder made by `python -m bundle prepare`; or a raw CSV or Parquet file with `image` and
            `label_<finding>`, `mask_<name>`, or `boxes` and `box_labels`, written as prepare takes them.
        task: what to give.
        names: findings, masks or boxes, in the order of the network's outputs; see `target_names`.
        split, view, fraction: see `scripts.data.study_items`.
        fold: k = the k-th turn of a cross-validation in place of the table's split: test is fold k, val the next one.
        uncertain, unknown: what such labels count as; see `scripts.data.label_policy.resolve_labels`.
        classes: of classification; "multiclass" wants exactly one finding an image.

    Raises:
        CxrError: a name that the source does not have, a cell that means nothing, an image with two rows (an evaluation
            would keep one of them), or nothing is left.
    """
    table, where = load_table(source)
    check_rows(table, where)
    _check_names(table, task, names, where)
    table = usable_rows(table)
    if fold is not None:
        table = split_by_fold(table, fold, where)
    table = keep_rows(table, split, view, fraction, where)
    if task == "classification":
        targets = _labels(table, names, uncertain, unknown, classes, where)
    elif task == "segmentation":
        targets = _masks(table, names)
    else:
        targets = _boxes(table, names, where)
    # Labels, masks and boxes become what a task needs; the rest of an item is the same for all.
    items = [
        item | facts | target
        for item, facts, target in zip(make_items(table, None, False, where), _facts(table), targets, strict=True)
        if target
    ]
    if not items:
        raise CxrError(f"{where}: nothing is known about {', '.join(names)} in the {len(table)} images of this split.")
    if len(items) < len(table):
        logger.info(
            "%s: %d of %d images are left out, for nothing is known about %s in them",
            where, len(table) - len(items), len(table), ", ".join(names),
        )  # fmt: skip
    return items


def target_names(source: str | Path, task: Task) -> list[str]:
    """Findings (`label_<name>`), masks (`mask_<name>`) or names of boxes that a source has."""
    table, where = load_table(source)
    return _known_names(table, task, where)


def _known_names(table: pd.DataFrame, task: Task, where: str) -> list[str]:
    if task == "classification":
        return [str(column).removeprefix("label_") for column in table if str(column).startswith("label_")]
    if task == "segmentation":
        return [str(column).removeprefix("mask_") for column in path_columns(table)[1:]]
    if task != "detection":
        raise CxrError(f"task={task!r} is none of classification, segmentation, detection.")
    if "boxes" not in table:
        return []
    return sorted({name for names in _read_boxes(table, where)[1] for name in names or ()})


def _check_names(table: pd.DataFrame, task: Task, names: Sequence[str], where: str) -> None:
    known = _known_names(table, task, where)
    if isinstance(names, str):  # what the command line's reader leaves of a list whose names it cannot read
        raise CxrError(f"names={names}: no list; quote each name: --names \"['Mass (>3 cm)','A, B+C']\"")
    if not names or len(set(names)) < len(names):
        raise CxrError(f"names={list(names)}: give each finding once; the source has {', '.join(known) or 'none'}.")
    kind = {"classification": "labels", "segmentation": "masks", "detection": "boxes"}[task]
    for name in names:
        if name not in known:
            raise CxrError(f"{where}: no {kind} of {name!r}; {did_you_mean(name, known, kind)}")


def _labels(
    table: pd.DataFrame, names: Sequence[str], uncertain: Policies, unknown: Policies, classes: str, where: str
) -> Items:
    values = resolve_labels(label_values(table, names, where), uncertain, unknown, names).astype(np.float32)
    if classes == "multiclass":
        counts = (values == 1).sum(axis=1)
        if len(wrong := np.flatnonzero((counts != 1) & ~np.isnan(values).all(axis=1))):
            raise CxrError(
                f"{where}: row {table.index[wrong[0]]} has {counts[wrong[0]]} of the findings {', '.join(names)}; "
                f"multiclass wants exactly one ({len(wrong)} such rows). Choose multilabel, or correct the labels."
            )
        # The one class that an image has says no to the others, whose cells many tables leave empty.
        values = np.where((counts == 1)[:, None], np.nan_to_num(values), values)
    return [{} if np.isnan(row).all() else {"label": row} for row in values]


def _masks(table: pd.DataFrame, names: Sequence[str]) -> Items:
    columns = [table["mask" if name == "mask" else f"mask_{name}"].fillna("") for name in names]
    return [{"label": list(row)} if any(row) else {} for row in zip(*columns, strict=True)]


def _boxes(table: pd.DataFrame, names: Sequence[str], where: str) -> Items:
    place = {name: index for index, name in enumerate(names)}
    targets: Items = []
    for boxes, labels in zip(*_read_boxes(table, where), strict=True):
        if boxes is None:
            targets.append({})
            continue
        kept = [(box, place[name]) for box, name in zip(boxes, labels or (), strict=True) if name in place]
        targets.append(
            {
                "box": np.array([box for box, _ in kept], dtype=np.float32).reshape(-1, 4),
                "label": np.array([index for _, index in kept], dtype=np.int64),
            }
        )
    return targets


def _read_boxes(table: pd.DataFrame, where: str) -> tuple[list, list]:
    return read_boxes(table["boxes"], table.get("box_labels"), where)


def _facts(table: pd.DataFrame) -> Items:
    """What the metrics' subgroups and millimetres need, one dict a row."""
    sex = table["sex"].fillna("").astype(str) if "sex" in table else pd.Series("", table.index)
    facts = {"sex": sex.tolist(), "age": _numbers(table, "age").tolist()}
    if not {"spacing_y", "spacing_x"} <= set(table):
        facts["spacing"] = list(np.full((len(table), 2), np.nan, np.float32))
    return [dict(zip(facts, row, strict=True)) for row in zip(*facts.values(), strict=True)]


def _numbers(table: pd.DataFrame, column: str) -> pd.Series:
    if column not in table:
        return pd.Series(np.nan, table.index, name=column)
    return pd.to_numeric(table[column], errors="coerce").astype(float)
