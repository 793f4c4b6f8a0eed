"""Raw files as a study table: a CSV or Parquet file, a list of items, or a folder of images."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ..errors import CxrError
from ..radiograph.file_kind import is_image
from .cells import file_name, read_ages
from .splits import SPLITS, assign_splits, check_leakage, label_fractions, split_words
from .studies import map_masks, path_columns
from .table_file import column_names, read_table

logger = logging.getLogger(__name__)


def raw_table(
    source: str | Path | Sequence[Mapping[str, Any]] | pd.DataFrame, root: str | Path | None = None
) -> tuple[pd.DataFrame, str]:
    """Raw files as a study table: absolute paths, ids, patients, splits, label fractions; and how messages call it."""
    table, base, where = _raw_table(source)
    if "image" not in table:
        raise CxrError(f"{where}: no column 'image'; it has {column_names(table)}.")
    base = Path(root) if root is not None else base
    names = table["image"].astype("str").fillna("").map(file_name)
    _refuse_rows(table.index[names == ""], where, "without an image: fill or remove them")
    digests = names.map(lambda name: hashlib.blake2b(name.encode(), digest_size=8).hexdigest())
    image_ids = table["image_id"].fillna(digests).astype(str) if "image_id" in table else digests
    table = table.assign(image=names.map(lambda name: str(base / name)), image_id=image_ids, source=names)
    for column in path_columns(table)[1:]:
        masks = table[column].fillna("").astype(str)
        table[column] = masks.map(lambda cell: map_masks(cell, lambda name: str(base / file_name(name))))
    for column in ("fold", "fraction"):
        if column in table:
            table[column] = pd.to_numeric(table[column], errors="coerce")
    if "age" in table:
        table["age"], notes = read_ages(table["age"])
        for note in notes:
            logger.warning("%s: %s", where, note)
    table["patient_id"] = _patients(table, where)
    if "split" in table:
        table["split"] = _splits(table["split"], where)
        check_leakage(table, where)
    else:
        table["split"] = assign_splits(table["patient_id"])
    if "fraction" not in table:
        table["fraction"] = label_fractions(table["patient_id"], table["split"])
    return table, where


def raw_columns(source: str | Path) -> list[str]:
    """Column names of what `raw_items` would read."""
    return list(_raw_table(source)[0].columns)


def _raw_table(source: Any) -> tuple[pd.DataFrame, Path, str]:
    if isinstance(source, pd.DataFrame):
        return source, Path(), "the table"
    if not isinstance(source, (str, Path)):
        return pd.DataFrame([dict(item) for item in source]), Path(), "the list of items"
    path = Path(source)
    if path.is_dir():
        return pd.DataFrame({"image": _images_below(path)}), path, str(path)
    if not path.is_file():
        raise CxrError(f"{path}: no such file or folder.")
    return read_table(path), path.parent, str(path)


def _images_below(folder: Path) -> list[str]:
    """Images of a folder, as paths from it."""
    names = [path.relative_to(folder) for path in sorted(folder.rglob("*")) if path.is_file()]
    kept = [
        name.as_posix()
        for name in names
        if not any(part.startswith(".") for part in name.parts) and is_image(folder / name)
    ]
    if not kept:
        raise CxrError(
            f"{folder}: none of the {len(names)} files in this folder is a DICOM, PNG, JPEG, TIFF or BMP image."
        )
    if len(kept) < len(names):
        logger.info("%d of %d files in %s are no images and are skipped", len(names) - len(kept), len(names), folder)
    return kept


def _patients(table: pd.DataFrame, where: str) -> pd.Series:
    """Patient of each row; an image of an unknown patient counts as a patient of its own."""
    if "patient_id" not in table:
        return table["image_id"]
    unknown = table.index[table["patient_id"].isna()]
    if len(unknown):
        logger.warning(
            "%s: %d rows have no patient_id, for example rows %s; each counts as a patient of its own",
            where, len(unknown), unknown[:6].tolist(),
        )  # fmt: skip
    return table["patient_id"].astype("str").str.strip().fillna(table["image_id"])


def _splits(column: pd.Series, where: str) -> pd.Series:
    """Split of each row as train, val or test, from the words that data sets use for them."""
    names = split_words(column)
    cure = "correct the column, or leave it out to have one drawn by patient"
    _refuse_rows(column.index[~names.isin(SPLITS)], where, f"in a split other than {', '.join(SPLITS)}: {cure}")
    return names


def _refuse_rows(rows: pd.Index, where: str, what: str) -> None:
    if len(rows):
        raise CxrError(f"{where}: {len(rows)} row(s), for example {rows[:6].tolist()}, are {what}.")
