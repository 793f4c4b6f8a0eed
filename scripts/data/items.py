"""MONAI data items (image, report, image_id, patient_id, view, label) from the study table or from raw files."""

from __future__ import annotations

import difflib
import hashlib
import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from scripts.data.image_store import IMAGES
from scripts.data.splits import assign_splits
from scripts.data.studies import read_studies, report_texts
from scripts.errors import CxrError

IMAGE_SUFFIXES = (".dcm", ".dicom", ".png", ".jpg", ".jpeg", "")
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
        view: keep these views only, by the beginning of their name ("AP" also keeps "AP Supine"); "frontal" = PA and
            AP.
        fraction: 1 or 10 keeps that nested subset of the training patients.

    Raises:
        CxrError: when nothing is left, when a finding is not in the table, or every report is empty.
    """
    folder = store_dir if isinstance(data, pd.DataFrame) else data
    table = data if isinstance(data, pd.DataFrame) else read_studies(data)
    where = f"the study table of {folder}" if folder else "the study table"
    table = _keep(table, split, view, fraction, where)
    if use_store:
        if folder is None:
            raise CxrError(
                "study_items needs store_dir= to refer to the stored images of a table in memory, or use_store=False."
            )
        images = str(Path(folder) / IMAGES) + "::" + table["store_row"].astype(str)
    else:
        images = table["image"]
    return _items(table.assign(image=images), labels, text, where)


def raw_items(
    source: str | Path | Sequence[Mapping[str, Any]] | pd.DataFrame,
    root: str | Path | None = None,
    split: str | Sequence[str] | None = None,
    labels: Sequence[str] | None = None,
    text: Text = True,
    view: str | Sequence[str] | None = None,
) -> list[dict[str, Any]]:
    """Items straight from files, without prepare.

    Args:
        source: a CSV or Parquet file, or a list of mappings, with `image` and optionally `report` (or `findings`,
            `impression`), `patient_id`, `split`, `view` and `label_<finding>`; or a folder, every DICOM, PNG and JPEG
            file below it (then text=False).
        root: folder that relative image paths start from; default: the CSV's folder.
        split, labels, text, view: as in `study_items`. Without a `split` column one is drawn by patient; without
            `patient_id` each image counts as a patient of its own.

    Raises:
        CxrError: when nothing is left, or a needed column is missing.
    """
    table, base, where = _raw_table(source)
    if "image" not in table:
        raise CxrError(f"{where}: no column 'image'; it has {', '.join(map(str, table.columns))}.")
    base = Path(root) if root is not None else base
    names = table["image"].astype(str)
    digests = names.map(lambda name: hashlib.blake2b(name.encode(), digest_size=8).hexdigest())
    table = table.assign(
        image=names.map(lambda name: str(base / name)), image_id=table.get("image_id", digests), source=names
    )
    table["patient_id"] = table["patient_id"].astype(str) if "patient_id" in table else table["image_id"]
    if "split" not in table:
        table["split"] = assign_splits(table["patient_id"])
    return _items(_keep(table, split, view, 100, where), labels, text, where)


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
        files = sorted(p for p in path.rglob("*") if p.is_file() and p.suffix.lower() in IMAGE_SUFFIXES)
        if not files:
            raise CxrError(f"{path}: no DICOM, PNG or JPEG file in this folder.")
        return pd.DataFrame({"image": [p.relative_to(path).as_posix() for p in files]}), path, str(path)
    if not path.is_file():
        raise CxrError(f"{path}: no such file or folder.")
    read = pd.read_parquet if path.suffix == ".parquet" else pd.read_csv
    try:
        return read(path), path.parent, str(path)
    except ValueError as error:  # of pandas and pyarrow: empty, not a table, another encoding
        raise CxrError(f"{path} cannot be read as a table: {str(error).splitlines()[0]}") from error


def _keep(
    table: pd.DataFrame, split: str | Sequence[str] | None, view: str | Sequence[str] | None, fraction: int, where: str
) -> pd.DataFrame:
    if "exclude_reason" in table:
        table = table[table["exclude_reason"].fillna("") == ""]
    if split is not None:
        table = table[table["split"].isin(_names(split))]
    if view is not None:
        starts = tuple(v.upper() for name in _names(view) for v in (("PA", "AP") if name == "frontal" else (name,)))
        views = table["view"].fillna("") if "view" in table else pd.Series("", table.index)
        table = table[views.str.upper().str.startswith(starts)]
    if fraction != 100:
        table = table[(table["split"] != "train") | (table["fraction"] <= fraction)]
    if table.empty:
        raise CxrError(f"{where}: no image left with split={split}, view={view}, fraction={fraction}.")
    return table


def _items(table: pd.DataFrame, labels: Sequence[str] | None, text: Text, where: str) -> list[dict[str, Any]]:
    # A raw file's own name, by which an embedding finds back to it.
    columns = {key: table[key] for key in ("image", "image_id", "patient_id", "split", "source") if key in table}
    columns["view"] = table["view"].fillna("") if "view" in table else pd.Series("", table.index)
    if text:
        columns["report"] = report_texts(table)
    items = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    if labels is not None:
        for item, row in zip(items, _labels(table, labels, where), strict=True):
            item["label"] = row
    return _with_text(items, where) if text is True else items


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


def _labels(table: pd.DataFrame, labels: Sequence[str], where: str) -> np.ndarray:
    known = [str(column).removeprefix("label_") for column in table if str(column).startswith("label_")]
    for name in labels:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"it has {', '.join(known) or 'no labels'}."
            raise CxrError(f"{where}: no column 'label_{name}'; {hint}")
    return table[[f"label_{name}" for name in labels]].to_numpy(np.float32, copy=True)


def _names(value: str | Iterable[str]) -> list[str]:
    return [value] if isinstance(value, str) else list(value)
