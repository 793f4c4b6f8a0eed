"""MONAI data items (image, report, image_id, patient_id, study_id, view, label), from the study table or raw files."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from ..errors import CxrError
from ..radiograph.views import UNKNOWN
from .cells import read_labels
from .findings import corresponding
from .prepared import PreparedFolder
from .raw_files import raw_table
from .splits import FRACTIONS
from .studies import read_studies, report_texts
from .views import normalize_views, select_views

Text = bool | Literal["optional"]
logger = logging.getLogger(__name__)


def study_items(
    data: str | Path | pd.DataFrame,
    split: str | Sequence[str] | None = None,
    labels: Sequence[str] | None = None,
    use_store: bool = True,
    text: Text = True,
    view: str | Sequence[str] | None = None,
    fraction: int = 100,
    store_dir: str | Path | None = None,
) -> list[dict[str, Any]]:
    """Items of a prepared data set, excluded rows left out.

    Args:
        data: folder made by prepare, or a study table (then `store_dir` says where its store lies).
        split: keep these splits only.
        labels: findings, in the order of the item's `label`, float32 of shape (len(labels),): 1, 0, -1 uncertain, NaN
            unknown.
        use_store: refer to the stored image, `OUT/images.npy::row`; False: to the original file.
        text: True adds `report`, the cleaned text, and leaves out images without any; "optional" keeps those, with an
            empty report; False adds none.
        view: keep these views only, in any spelling that `scripts.radiograph.views` knows; "frontal" = PA, AP (lying,
            too) and a frontal that says no more.
        fraction: 1 or 10 keeps that nested subset of the training patients.

    Raises:
        CxrError: when nothing is left, when a finding is not in the table, or every report is empty.
    """
    table, where = study_table(data, use_store, store_dir)
    return make_items(keep_rows(table, split, view, fraction, where), labels, text, where)


def raw_items(
    source: str | Path | Sequence[Mapping[str, Any]] | pd.DataFrame,
    root: str | Path | None = None,
    split: str | Sequence[str] | None = None,
    labels: Sequence[str] | None = None,
    text: Text = True,
    view: str | Sequence[str] | None = None,
    fraction: int = 100,
) -> list[dict[str, Any]]:
    """Items straight from files, without prepare.

    Args:
        source: a CSV or Parquet file, or a list of mappings, with `image` and optionally `report` (or `findings`,
            `impression`), `patient_id`, `split`, `view` and `label_<finding>`; or a folder, every image below it
            (then text=False): DICOM whatever its name, PNG, JPEG, TIFF, BMP.
        root: folder that relative image paths start from; default: the CSV's folder.
        split, labels, text, view, fraction: as in `study_items`. Without a `split` column one is drawn by patient;
            without `patient_id` each image counts as a patient of its own.

    Raises:
        CxrError: when nothing is left, a needed column is missing, a cell means nothing, or a patient is in two splits.
    """
    table, where = raw_table(source, root)
    return make_items(keep_rows(table, split, view, fraction, where), labels, text, where)


def study_table(
    data: str | Path | pd.DataFrame, use_store: bool = True, store_dir: str | Path | None = None
) -> tuple[pd.DataFrame, str]:
    """Study table whose `image` is the stored one (or the original file), and how messages call it."""
    folder = store_dir if isinstance(data, pd.DataFrame) else data
    table = data if isinstance(data, pd.DataFrame) else read_studies(data)
    where = f"the study table of {folder}" if folder else "the study table"
    if not use_store:
        return table, where
    if folder is None:
        raise CxrError(
            "study_items needs store_dir= to refer to the stored images of a table in memory, or use_store=False."
        )
    return table.assign(image=str(PreparedFolder(Path(folder)).images) + "::" + table["store_row"].astype(str)), where


def keep_rows(
    table: pd.DataFrame, split: str | Sequence[str] | None, view: str | Sequence[str] | None, fraction: int, where: str
) -> pd.DataFrame:
    """Usable rows of these splits, views and label fraction; see `study_items`."""
    if fraction not in FRACTIONS:
        raise CxrError(f"fraction={fraction} is none of the nested label fractions {', '.join(map(str, FRACTIONS))} %.")
    table = usable_rows(table)
    if split is not None:
        table = table[table["split"].isin(_names(split))]
    if view is not None:
        views = _views(table)
        kept = select_views(views, _names(view))
        if len(table) and not kept.any():
            found = ", ".join(f"{name} {count}" for name, count in views.value_counts().items())
            raise CxrError(f"{where}: no image with view={view} (split={split}); its views are {found}.")
        table = table[kept]
    if fraction != 100:
        table = table[(table["split"] != "train") | (table["fraction"] <= fraction)]
    if table.empty:
        raise CxrError(f"{where}: no image left with split={split}, view={view}, fraction={fraction}.")
    return table


def usable_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Rows that prepare did not exclude."""
    return table[table["exclude_reason"].fillna("") == ""] if "exclude_reason" in table else table


def make_items(table: pd.DataFrame, labels: Sequence[str] | None, text: Text, where: str) -> list[dict[str, Any]]:
    """An item of each row; see `study_items`."""
    # A raw file's own name, by which an embedding finds back to it.
    columns = {key: table[key] for key in ("image", "image_id", "patient_id", "split", "source") if key in table}
    columns["row"] = pd.Series(table.index, table.index)  # of the whole table, for messages to name
    # Two images of one study are no negatives of each other; without a study each image is one of its own.
    images = table["image_id"]
    columns["study_id"] = (table["study_id"].fillna(images) if "study_id" in table else images).astype(str)
    if "fold" in table and pd.api.types.is_numeric_dtype(table["fold"]) and table["fold"].notna().all():
        columns["fold"] = table["fold"].astype(int)
    columns["view"] = _views(table)
    columns |= _original_facts(table)
    if text:
        columns["report"] = report_texts(table)
    items = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    if labels is not None:
        for item, row in zip(items, label_values(table, labels, where), strict=True):
            item["label"] = row
    return _with_text(items, where) if text is True else items


def _views(table: pd.DataFrame) -> pd.Series:
    return normalize_views(table["view"]) if "view" in table else pd.Series(UNKNOWN, table.index)


def _original_facts(table: pd.DataFrame) -> dict[str, list[Any]]:
    """Size of the original images, where all are known, and spacing: predictions find back to their pixels by them."""
    known = {key: pd.to_numeric(table[key], errors="coerce").fillna(0) for key in ("height", "width") if key in table}
    facts: dict[str, list[Any]] = {}
    if len(known) == 2 and all(column.between(1, 1e6).all() for column in known.values()):
        facts |= {key: column.astype(int).tolist() for key, column in known.items()}
    if {"spacing_y", "spacing_x"} <= set(table):
        spacing = table[["spacing_y", "spacing_x"]].apply(pd.to_numeric, errors="coerce")
        facts["spacing"] = list(spacing.to_numpy(np.float32, copy=True, na_value=np.nan))
    if "itk_affine" in table:
        unknown = np.full(16, np.nan)
        affines = [
            cell if isinstance(cell, (list, np.ndarray)) and len(cell) == 16 else unknown
            for cell in table["itk_affine"]
        ]
        facts["itk_affine"] = list(np.array(affines, np.float32).reshape(-1, 4, 4))
    return facts


def _with_text(items: list[dict[str, Any]], where: str) -> list[dict[str, Any]]:
    kept = [item for item in items if item["report"]]
    if not kept:
        raise CxrError(
            f"{where}: all {len(items)} reports are empty, and text is needed. "
            "Check the text columns (findings, impression, report) in the source, or ask for text=False."
        )
    if len(kept) < len(items):
        logger.info("%d of %d images have no report and are left out", len(items) - len(kept), len(items))
    return kept


def label_values(table: pd.DataFrame, labels: Sequence[str], where: str) -> np.ndarray:
    """`[n, c]` float32 labels of 1, 0, -1 uncertain and NaN unknown; findings in any spelling, see `corresponding`."""
    known = finding_names(table.columns)
    found = corresponding(labels, known)
    for name in labels:
        if found[name] is None:
            raise CxrError(f"{where}: no column 'label_{name}'; {did_you_mean(name, known, 'labels')}")
    columns = [read_labels(table[f"label_{found[name]}"], where) for name in labels]
    return np.stack(columns, axis=1).astype(np.float32) if columns else np.empty((len(table), 0), np.float32)


def finding_names(columns: Iterable[Any]) -> list[str]:
    """Findings of the columns `label_<finding>` of a table."""
    return [str(column).removeprefix("label_") for column in columns if str(column).startswith("label_")]


def did_you_mean(name: str, known: Sequence[str], kind: str) -> str:
    """End of a message about a name that is not known."""
    close = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {close[0]!r}?" if close else f"it has {', '.join(known) or f'no {kind}'}."


def _names(value: str | Iterable[str]) -> list[str]:
    return [value] if isinstance(value, str) else list(value)
