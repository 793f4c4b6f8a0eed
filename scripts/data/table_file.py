"""Tables from files: CSV in the forms that people and archives have, and Parquet; every cell a text or missing."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import json
import logging
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np
import pandas as pd

from ..errors import CxrError

# Of a CSV as it is read, packed or not: that of CheXpert Plus, with 223,000 reports, has about 1 GB.
MOST_BYTES = 4 * 2**30
CHUNK = 2**20
DELIMITERS = ",;\t|"
SHOWN = 30  # columns that a message names
_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16, whose mark it begins with
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# What is no table, by its first bytes, and the cure.
_OTHERS = {
    b"PK\x03\x04": "an Excel workbook or a zip archive: save the sheet as CSV UTF-8, or unpack it",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook: save the sheet as CSV UTF-8",
    b"BZh": "packed with bzip2: unpack it, or pack it with gzip",
    b"\xfd7zXZ": "packed with xz: unpack it, or pack it with gzip",
    b"7z\xbc\xaf": "a 7z archive: unpack it",
    b"\x28\xb5\x2f\xfd": "packed with zstandard: unpack it, or pack it with gzip",
    b"version https://git-lfs": "a Git LFS pointer and not the file itself: git lfs pull",
    b"<!DOCTYPE": "a web page: download the file itself",
    b"<html": "a web page: download the file itself",
}
logger = logging.getLogger(__name__)


def read_table(path: str | Path) -> pd.DataFrame:
    """A CSV or Parquet file, plain or gzip, by what it holds and not by its name; patient 007 stays 007.

    CSV: UTF-8, UTF-16 and UTF-32 by their marks, else UTF-8, else Windows-1252 or Latin-1 (with a warning, for that is
    a guess); parted by commas, semicolons, tabs or bars (a `.txt` by blanks, too), whichever part the first rows most
    evenly; line breaks within quotes. Column names lose the blanks at their ends. Lists of a Parquet file become JSON.

    Raises:
        CxrError: it is no table, has no rows, or rows longer than its header, or inflates beyond `MOST_BYTES`.
    """
    path = Path(path)
    if not path.is_file():
        raise CxrError(f"{path}: {'is a folder, not a table' if path.is_dir() else 'no such file'}.")
    try:
        with path.open("rb") as file:
            parquet = file.read(4) == b"PAR1"
        table = as_text(pd.read_parquet(path)) if parquet else _read_csv(path)
    except (ValueError, OSError, EOFError, zlib.error, csv.Error, pd.errors.ParserWarning) as error:
        raise CxrError(f"{path} cannot be read as a table: {_reason(error)}") from error
    table.columns = table.columns.map(lambda name: str(name).strip())
    if len(double := table.columns[table.columns.duplicated()]):
        raise CxrError(f"{path}: several columns are called {double[0]!r}; rename all but one.")
    filled = np.flatnonzero(table.notna().any(axis=1))
    if not len(filled):
        raise CxrError(f"{path}: the table has no rows.")
    return table.iloc[: filled[-1] + 1]  # without the empty rows that spreadsheets leave at the end


def as_text(table: pd.DataFrame) -> pd.DataFrame:
    """All cells as the texts of a CSV: lists as JSON, whole numbers without a point, missing cells kept."""
    return table.apply(lambda column: column.map(_text).astype("str"))


def column_names(table: pd.DataFrame) -> str:
    """The columns that a table has, for a message; one alone is mostly a delimiter that is none of `DELIMITERS`."""
    names = [str(name)[:40] for name in table.columns]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    alone = " alone (are its columns parted by commas, semicolons or tabs?)" if len(names) == 1 else ""
    return f"{', '.join(names[:SHOWN])}{more}{alone}"


def _read_csv(path: Path) -> pd.DataFrame:
    encoding = _encoding(path)
    with _open(path) as file, io.TextIOWrapper(file, encoding, newline="") as text:
        head = text.read(CHUNK)
    delimiter = _delimiter(head, path)
    with _open(path) as file, warnings.catch_warnings():
        # Rows longer than the header: pandas would cut them, or make an index of the first column and shift the rest.
        warnings.simplefilter("error", pd.errors.ParserWarning)
        return pd.read_csv(file, dtype=str, sep=delimiter, encoding=encoding, index_col=False, skipinitialspace=True)


def _open(path: Path) -> IO[bytes]:
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return gzip.open(path) if packed else path.open("rb")  # type: ignore[return-value]


def _chunks(path: Path) -> Iterator[bytes]:
    total = 0
    with _open(path) as file:
        while chunk := file.read(CHUNK):
            total += len(chunk)
            if total > MOST_BYTES:
                raise ValueError(f"it holds more than {MOST_BYTES / 2**30:g} GiB; split it.")
            yield chunk


def _encoding(path: Path) -> str:
    """Encoding of a text file; all of it is looked at, for one `é` may stand in the last row."""
    start = next(_chunks(path), b"")
    if other := next((cure for magic, cure in _OTHERS.items() if start.startswith(magic)), None):
        raise ValueError(f"it is {other}.")
    marked = next((name for mark, name in _MARKS.items() if start.startswith(mark)), None)
    for name in (marked,) if marked else (_wide(start) or "utf-8", "cp1252", "latin-1"):
        decoder = codecs.getincrementaldecoder(name)()
        try:
            for chunk in _chunks(path):
                if "\0" in decoder.decode(chunk):
                    raise ValueError("it is no text.")
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            continue
        if name in ("cp1252", "latin-1"):
            logger.warning("%s is not UTF-8 and is read as %s; save it as UTF-8 if letters come out wrong", path, name)
        return name
    raise ValueError(f"it is marked as {marked} and is not.")


def _wide(start: bytes) -> str | None:
    """UTF-16 without a mark: of Western text, every other byte is 0."""
    even, odd = start[0:4096:2], start[1:4096:2]
    for zeros, others, name in ((odd, even, "utf-16-le"), (even, odd, "utf-16-be")):
        if len(start) >= 4 and zeros.count(0) > 0.7 * len(zeros) and not others.count(0):
            return name
    return None


def _delimiter(head: str, path: Path) -> str:
    """The character that parts the first rows most evenly, and of several the one with the most columns."""
    usual = "\t," if path.name.lower().removesuffix(".gz").endswith(".tsv") else ","
    order = dict.fromkeys(usual + DELIMITERS + (" " if path.name.lower().removesuffix(".gz").endswith(".txt") else ""))

    def evenness(delimiter: str) -> tuple[float, int]:
        reader = csv.reader(io.StringIO(head, newline=""), delimiter=delimiter, skipinitialspace=True)
        try:
            sizes = [len(row) for row, _ in zip(reader, range(50)) if row]
        except csv.Error:  # a field longer than Python's limit
            return 0, 0
        columns = sizes[0] if sizes else 0
        return (sum(size == columns for size in sizes) / len(sizes), columns) if columns > 1 else (0, columns)

    return max(order, key=evenness)  # the first of equals


def _reason(error: Exception) -> str:
    if isinstance(error, pd.errors.ParserWarning):
        return "its rows have more cells than its header has names."
    if isinstance(error, EOFError | zlib.error | gzip.BadGzipFile):
        return "its gzip stream is damaged or cut off."
    return str(error).strip().splitlines()[0].removeprefix("Error tokenizing data. C error: ")


def _text(value: object) -> str | None:
    if isinstance(value, (list, tuple, np.ndarray)):
        return json.dumps(value, default=np.ndarray.tolist)
    if pd.isna(value):
        return None
    return f"{value:.0f}" if isinstance(value, float) and value.is_integer() else str(value)
