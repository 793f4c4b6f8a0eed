"""Columns of a table that the command line names."""

from __future__ import annotations

import difflib
from pathlib import Path

import pandas as pd

from scripts.data.table_file import column_names
from scripts.errors import CxrError

CATEGORIES = 20


def column(raw: pd.DataFrame, name: str, option: str, path: Path) -> pd.Series:
    """Column `name`, which an option of the command line asks for; a CxrError when there is none."""
    if name not in raw:
        close = difflib.get_close_matches(name, list(raw.columns), n=1, cutoff=0.5)
        hint = f"did you mean {close[0]!r}?" if close else f"it has {column_names(raw)}."
        raise CxrError(f"{path}: no column {name!r} for {option}; {hint}")
    return raw[name]


def categories(column: pd.Series) -> str:
    """The values of a column for a message, if they are categories; a column of names or reports keeps them."""
    counts = column[column.fillna("").str.strip() != ""].value_counts()
    if len(counts) <= CATEGORIES and counts.sum() > 2 * len(counts):
        return ", ".join(f"{value!r} ({count})" for value, count in counts.items())
    return f"{len(counts)} different values"


def pair(entry: str, option: str) -> tuple[str, str]:
    """The two sides of an option's NAME=VALUE."""
    name, equals, value = entry.partition("=")
    if not (name and equals and value):
        raise CxrError(f"{option} {entry}: write it as NAME=VALUE.")
    return name, value
