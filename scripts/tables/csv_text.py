"""Tables as CSV that a spreadsheet program opens as what they say."""

from __future__ import annotations

import re
from typing import Any

import pandas as pd

# What makes Excel, LibreOffice and Google Sheets run a cell (OWASP, "CSV Injection"); full width where their language
# has it.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)


def csv_text(frame: pd.DataFrame) -> str:
    """A frame as CSV, without its index; a text (column names, too) that a spreadsheet would run begins with `'`.

    Numbers, and texts that are numbers, stay as they are.
    """
    # As objects, for pandas makes 1.0 of a whole number that stands in one column with missing cells.
    cells = {i: pd.Series([_cell(value) for value in frame.iloc[:, i]], dtype=object) for i in range(frame.shape[1])}
    return pd.DataFrame(cells).set_axis([_cell(name) for name in frame.columns], axis=1).to_csv(index=False)


def _cell(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if value.startswith(_FORMULA) and not _NUMBER.fullmatch(value):
        value = f"'{value}"
    return value.replace("\r\n", "\n").replace("\r", "\n")  # pandas quotes a cell for \n alone
