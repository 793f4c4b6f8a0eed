"""The study table, `studies.parquet`: one row an image; the description of a data set that later stages read."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from ..atomic import atomic_path
from ..errors import CxrError
from ..text.report import Report, read_report
from .boxes import read_boxes
from .prepared import PreparedFolder
from .splits import check_leakage

REQUIRED = ("image_id", "image", "patient_id", "study_id", "split")
TEXT_COLUMNS = ("findings", "impression", "report")
UNION, EMPTY = "|", "-1"  # of masks: several in a cell; one that is known to be empty
_RLE = re.compile(rf"{EMPTY}|[\d\s]*")


def read_studies(out: str | Path) -> pd.DataFrame:
    """Study table of a prepared folder, with `image` and mask paths made absolute.

    Args:
        out: folder made by `python -m bundle prepare`.

    Raises:
        CxrError: when the folder holds no table, or one that breaks a rule of `validate_studies`.
    """
    path = PreparedFolder(Path(out)).studies
    if not path.is_file():
        raise CxrError(f"no study table at {path}. Make it with: python -m bundle prepare LAYOUT SOURCE {out}")
    try:
        table = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise CxrError(f"{path} is damaged ({error}). Delete it and run prepare again.") from error
    validate_studies(table, str(path))
    source = _source(Path(out))
    for column in path_columns(table):
        table[column] = _map_paths(table[column], lambda value: str(source / value))
    if "boxes" in table:
        table["boxes"], table["box_labels"] = read_boxes(table["boxes"], table.get("box_labels"), str(path))
    return table


def write_studies(table: pd.DataFrame, out: str | Path, source: Path) -> Path:
    """Validate `table` and write it to OUT atomically, with paths relative to `source` where they lie below it.

    Raises:
        CxrError: when the table breaks a rule of `validate_studies`.
    """
    path = PreparedFolder(Path(out)).studies
    validate_studies(table, str(path))
    table = table.copy()
    for column in path_columns(table):
        table[column] = _map_paths(table[column], lambda value: _relative(value, source))
    with atomic_path(path) as temporary:
        table.to_parquet(temporary, index=False)
    return path


def validate_studies(table: pd.DataFrame, where: str) -> None:
    """Raise a CxrError for a missing column, an empty table, a repeated image or a patient in two splits."""
    if missing := [column for column in REQUIRED if column not in table]:
        raise CxrError(f"{where}: the study table lacks the column(s) {', '.join(missing)}. Run prepare again.")
    if table.empty:
        raise CxrError(f"{where}: the study table has no rows.")
    check_rows(table, where)


def check_rows(table: pd.DataFrame, where: str) -> None:
    """Raise a CxrError that names rows for a repeated image, or (once there are splits) a patient in two of them."""
    repeated = table.index[table["image_id"].duplicated(keep=False)]
    if len(repeated):
        rows = table.index[table["image_id"] == table.loc[repeated[0], "image_id"]].tolist()
        raise CxrError(
            f"{where}: {len(repeated)} rows repeat an image, for example rows {rows[:6]}; keep one row an image."
        )
    if "split" in table:
        check_leakage(table, where)


def read_reports(table: pd.DataFrame) -> pd.DataFrame:
    """Columns `clean_text`, `text_source` and `text_dropped` (see `Report`) of each row, made from the text columns.

    Each distinct report is read once: the images of a study share theirs, and normal reports repeat.
    """
    present = [column for column in TEXT_COLUMNS if column in table]
    read: dict[tuple[object, ...], Report] = {}
    reports = []
    for row in zip(*(table[column] for column in present), strict=True) if present else [()] * len(table):
        cells = tuple(cell if isinstance(cell, str) else None for cell in row)
        if cells not in read:
            read[cells] = read_report(**dict(zip(present, cells, strict=True)))  # type: ignore[arg-type]
        reports.append(read[cells])
    columns = {"clean_text": "text", "text_source": "source", "text_dropped": "dropped"}
    values = {column: [getattr(report, name) for report in reports] for column, name in columns.items()}
    return pd.DataFrame(values, table.index).astype({"clean_text": object, "text_source": object, "text_dropped": int})


def report_texts(table: pd.DataFrame) -> pd.Series:
    """Cleaned text of each row, "" for none: prepare's column `clean_text`, else made from the text columns."""
    return table["clean_text"].fillna("") if "clean_text" in table else read_reports(table)["clean_text"]


def path_columns(table: pd.DataFrame) -> list[str]:
    """Columns that hold file names: the image first, then every mask."""
    masks = [column for column in table if column == "mask" or str(column).startswith("mask_")]
    return ["image"] * ("image" in table) + masks


def is_path(value: object) -> bool:
    """Whether a mask names a file: not empty, and not a run-length string (digits and blanks, or -1)."""
    return isinstance(value, str) and not _RLE.fullmatch(value)


def map_masks(cell: Any, change: Callable[[str], str]) -> Any:
    """Change the file names in a mask's cell; one or several masks, parted by `|`, make up their union."""
    if not isinstance(cell, str):
        return cell
    return UNION.join(change(part) if is_path(part) else part for part in map(str.strip, cell.split(UNION)))


def _map_paths(column: pd.Series, change: Callable[[str], str]) -> pd.Series:
    """Change the cells that name files: in `image` all, for an archive may number its files; else see `is_path`."""
    if column.name == "image":
        return column.map(lambda value: change(value) if value else value)
    return column.map(lambda cell: map_masks(cell, change))


def _source(out: Path) -> Path:
    """Folder that the table's paths start from: as recorded, or at the same place relative to a folder that moved."""
    folder = PreparedFolder(out)
    record = folder.read_record()
    try:
        recorded, relative = Path(record["source"]), record["source_relative"]
    except (KeyError, TypeError) as error:
        raise CxrError(f"{folder.record} is missing or damaged ({error}). Run prepare again.") from error
    return recorded if recorded.is_dir() else (out / relative).resolve()


def _relative(value: str, source: Path) -> str:
    path = Path(value)
    return path.relative_to(source).as_posix() if path.is_relative_to(source) else str(path)
