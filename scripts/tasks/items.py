"""What the items of every task have in common: the rows of a split, a view, a fraction or a fold, and their facts."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from ..data.findings import corresponding
from ..data.items import did_you_mean, keep_rows, make_items, usable_rows
from ..data.sources import load_table
from ..data.splits import split_by_fold
from ..data.studies import check_rows
from ..errors import CxrError

Items = list[dict[str, Any]]
Absent = Literal["refuse", "unknown"]
logger = logging.getLogger(__name__)


def task_items(
    source: str | Path,
    names: Sequence[str],
    kind: str,
    known: Callable[[pd.DataFrame, str], list[str]],
    targets: Callable[[pd.DataFrame, str, list[str | None]], Items],
    split: str | Sequence[str] | None = None,
    view: str | Sequence[str] | None = None,
    fraction: int = 100,
    fold: int | None = None,
    absent: Absent = "refuse",
) -> Items:
    """Items of a task; images about which nothing is known are left out, and counted in the log.

    Every item has `image, image_id, patient_id, split, view, sex` ("" unknown), `age` (NaN unknown), `spacing` (float32
    `[2]`, mm, row and column, NaN unknown) and, where the table knows them, `height, width` and `itk_affine` (float32
    `[4, 4]`, see `scripts.radiograph.itk_geometry`) of the original, beside the task's target.

    Args:
        source: a folder made by `python -m bundle prepare`; or a raw CSV or Parquet file with `image` and the targets'
            columns, written as prepare takes them.
        names: of the targets, in the order of the network's outputs.
        kind: what messages call the targets.
        known: names that a table has, from the table and what messages call it.
        targets: of each row, from the same and the source's own spelling of each name (see
            `scripts.data.findings.corresponding`; None for one that it lacks); {} where nothing is known.
        split, view, fraction: see `scripts.data.study_items`.
        fold: k = the k-th turn of a cross-validation in place of the table's split: test is fold k, val the next one.
        absent: what becomes of names that the source does not have; "unknown" is for the evaluation on another data
            set, and wants at least one that it has.

    Raises:
        CxrError: a name that the source does not have, a cell that means nothing, an image with two rows (an evaluation
            would keep one of them), or nothing is left.
    """
    table, where = load_table(source)
    check_rows(table, where)
    own = _own_names(names, known(table, where), kind, where, absent)
    table = usable_rows(table)
    if fold is not None:
        table = split_by_fold(table, fold, where)
    table = keep_rows(table, split, view, fraction, where)
    found = targets(table, where, own)
    # Labels, masks and boxes become what a task needs; the rest of an item is the same for all.
    items = [
        item | facts | target
        for item, facts, target in zip(make_items(table, None, False, where), _facts(table), found, strict=True)
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


def _own_names(names: Sequence[str], known: Sequence[str], kind: str, where: str, absent: Absent) -> list[str | None]:
    """The source's spelling of each name; what does not correspond is said."""
    if isinstance(names, str):  # what the command line's reader leaves of a list whose names it cannot read
        raise CxrError(f"names={names}: no list; quote each name: --names \"['Mass (>3 cm)','A, B+C']\"")
    if not names or len(set(names)) < len(names):
        raise CxrError(f"names={list(names)}: give each finding once; the source has {', '.join(known) or 'none'}.")
    own = corresponding(names, known)
    lacking = [name for name in names if own[name] is None]
    if lacking and (absent == "refuse" or len(lacking) == len(names)):
        raise CxrError(f"{where}: no {kind} of {lacking[0]!r}; {did_you_mean(lacking[0], known, kind)}")
    if lacking:
        logger.warning("%s: no %s of %s, which are left out", where, kind, ", ".join(lacking))
    if other := [f"{name} is {found}" for name, found in own.items() if found not in (name, None)]:
        logger.info("%s: of its %s, %s", where, kind, ", ".join(other))
    return [own[name] for name in names]


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
