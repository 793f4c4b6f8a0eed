"""What the cells of a table mean: file names, labels, ages."""

from __future__ import annotations

import math
import re

import pandas as pd

from ..errors import CxrError

OLDEST = 122  # years that a person has lived; RSNA's and NIH's tables have ages up to 155 and 414
_AGE = re.compile(
    r"(?P<bound>[<>≤≥]=?)?(?P<number>\d{1,3}([.,]\d+)?)"
    r"(?P<unit>|y|yrs?|years?|yo|a|j|m|mo|mos|months?|w|wks?|weeks?|d|days?)(old)?(?P<more>\+|(and|or)(over|older|above|more))?"
)
_YEARS = {"m": 12, "w": 365.25 / 7, "d": 365.25}  # parts of a year


def file_name(cell: str) -> str:
    """Path as a cell gives it: without blanks at its ends, and with `/` where it was written on Windows."""
    return cell.strip().replace("\\", "/")


def read_labels(column: pd.Series, where: str) -> pd.Series:
    """Finding labels as float: 1 present, 0 absent, -1 uncertain, NaN unknown (an empty cell); true and false count.

    Raises:
        CxrError: for a cell with any other content.
    """
    texts = column.astype("str").str.strip().str.lower()
    values = pd.to_numeric(texts.replace({"true": "1", "false": "0"}), errors="coerce")
    wrong = column.index[column.notna() & (texts != "") & ~values.isin((1.0, 0.0, -1.0))]
    if len(wrong):
        raise CxrError(
            f"{where}: column {column.name!r}: {len(wrong)} cell(s), for example in row {wrong[0]}, are no label; "
            "use 1, 0, -1 (uncertain) or empty."
        )
    return values.astype(float)


def read_ages(column: pd.Series) -> tuple[pd.Series, list[str]]:
    """Ages in years, NaN unknown, and what a person should know about their cells, one line each.

    Numbers are years; so are DICOM's `058Y`, `007M`, `003W`, `012D` (VR AS, PS3.5 6.2) and the same in words. Of bounds
    the nearest whole year: 90 for `90+`, `>89` and `>=90`, 0 for `<1`. What is no age, or above `OLDEST`, is unknown.
    """
    texts = column.map(lambda value: "" if pd.isna(value) else re.sub(r"[\s_]+", "", str(value)).lower())
    found = {text: _age(text) for text in texts.unique()}
    years = texts.map({text: age for text, (age, _) in found.items()}).astype(float)
    kinds = texts.map({text: kind for text, (_, kind) in found.items()})
    notes = [
        f"age: {len(rows)} row(s), for example {rows[:6].tolist()}, {kind}"
        for kind in dict.fromkeys(kinds)
        if kind and len(rows := column.index[kinds == kind])
    ]
    return years, notes


def _age(text: str) -> tuple[float, str]:
    """Years, and what is odd about them."""
    if text in ("", "nan", "none", "unknown", "unk", "n/a", "-"):
        return math.nan, ""
    found = _AGE.fullmatch(text)
    if found is None:
        return math.nan, "are no age and count as unknown"
    years = float(found["number"].replace(",", ".")) / _YEARS.get(found["unit"][:1], 1)
    if years > OLDEST:
        return math.nan, f"are above {OLDEST} years and count as unknown"
    bound = found["bound"] or (">=" if found["more"] else "")
    if bound in ("<", ">"):
        years += 1 if bound == ">" else -min(years, 1)
    return years, "are bounds such as 90+ or <1, of which the nearest whole year counts" if bound else ""
