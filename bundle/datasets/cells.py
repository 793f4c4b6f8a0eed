"""Columns and cells of a table, and what they mean."""

from __future__ import annotations

import difflib
import json
from pathlib import Path

import numpy as np
import pandas as pd

from scripts.errors import CxrError


def as_text(table: pd.DataFrame) -> pd.DataFrame:
    """All cells as the strings of a CSV: lists as JSON, whole numbers without a point, missing cells kept."""
    return table.apply(lambda column: column.map(_text).astype("str"))


def label(column: pd.Series, path: Path) -> pd.Series:
    """Finding labels as float: 1 present, 0 absent, -1 uncertain, NaN unknown (an empty cell).

    Raises:
        CxrError: for a cell with any other content.
    """
    words = {"true": "1", "false": "0"}
    values = pd.to_numeric(column.str.strip().str.lower().replace(words), errors="coerce")
    wrong = column.index[column.notna() & ~values.isin((1.0, 0.0, -1.0))]
    if len(wrong):
        raise CxrError(
            f"{path}: column {column.name!r}, row {wrong[0]}: {column[wrong[0]]!r} is no label; "
            "use 1, 0, -1 (uncertain) or empty."
        )
    return values.astype(float)


def column(raw: pd.DataFrame, name: str, option: str, path: Path) -> pd.Series:
    """Column `name`, which an option of the command line asks for; a CxrError when there is none."""
    if name not in raw:
        close = difflib.get_close_matches(name, list(raw.columns), n=1, cutoff=0.5)
        hint = f"did you mean {close[0]!r}?" if close else f"it has {', '.join(raw.columns)}."
        raise CxrError(f"{path}: no column {name!r} for {option}; {hint}")
    return raw[name]


def pair(entry: str, option: str) -> tuple[str, str]:
    """The two sides of an option's NAME=VALUE."""
    name, equals, value = entry.partition("=")
    if not (name and equals and value):
        raise CxrError(f"{option} {entry}: write it as NAME=VALUE.")
    return name, value


def _text(value: object) -> str | None:
    if isinstance(value, (list, tuple, np.ndarray)):
        return json.dumps(value, default=np.ndarray.tolist)
    if pd.isna(value):
        return None
    return f"{value:.0f}" if isinstance(value, float) and value.is_integer() else str(value)
