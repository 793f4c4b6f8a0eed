"""Meaning of a table's cells."""

from __future__ import annotations

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


def json_list(value: object, column: str, row: int, path: Path) -> list:
    """A JSON list from a cell; an empty cell is an empty list."""
    if not isinstance(value, str):
        return []
    try:
        content = json.loads(value)
    except ValueError:
        content = None
    if not isinstance(content, list):
        raise CxrError(f"{path}: column {column!r}, row {row}: expected a JSON list.")
    return content


def _text(value: object) -> str | None:
    if isinstance(value, (list, tuple, np.ndarray)):
        return json.dumps(value, default=np.ndarray.tolist)
    if pd.isna(value):
        return None
    return f"{value:.0f}" if isinstance(value, float) and value.is_integer() else str(value)
