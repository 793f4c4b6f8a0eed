"""The study table from the manifest and what was found in the files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from scripts.data.splits import SPLITS, assign_folds, assign_splits, label_fractions, merge_patients
from scripts.data.studies import path_columns, read_reports
from scripts.data.views import normalize_views
from scripts.errors import CxrError
from scripts.radiograph.views import UNKNOWN
from scripts.text.key import text_key

from ..datasets.layout import Manifest
from .identity import hash_identities
from .ingest import Facts

FILE_FACTS = {
    "height": "Int64",
    "width": "Int64",
    "spacing_y": float,
    "spacing_x": float,
    "photometric": "str",
    "itk_affine": object,
    "remarks": "str",
}


def assemble(manifest: Manifest, facts: dict[int, Facts], out: Path, deidentified: bool, seed: int) -> pd.DataFrame:
    """Study table: the manifest's columns, file facts, splits, folds, fractions, store rows, text and hashed ids.

    Splits are drawn from the ids of the source, before these are hashed, so that every preparation draws the same.
    Patients that share an identical image are drawn as one. A split that the source gives is kept; a training (then
    validation) image that is identical to one of a held-out split is excluded, because it would leak.

    Raises:
        CxrError: when no image is usable.
    """
    found = pd.DataFrame([facts[row] for row in manifest.table.index], index=manifest.table.index)
    found = found.reindex(columns=["exclude_reason", "pixels", "view", *FILE_FACTS]).astype(FILE_FACTS)
    table = manifest.table.assign(exclude_reason=found["exclude_reason"])
    if (table["exclude_reason"] != "").all():
        raise CxrError(f"not one of {len(table)} images could be used. The first: {table['exclude_reason'].iloc[0]}")
    table = table.join(found[[*FILE_FACTS]])
    views = normalize_views(found["view"])
    if "view" in table:  # the table's word holds, and where it has none the file's
        views = (given := normalize_views(table["view"])).where(given != UNKNOWN, views)
    table["view"] = views
    pixels = found["pixels"].fillna("")
    groups = merge_patients(table["patient_id"], pixels)
    if "split" in table:
        table["exclude_reason"] = _exclude_leaking(table, pixels)
    else:
        table["split"] = assign_splits(groups, seed=seed)
    table["fold"] = assign_folds(groups, seed=seed)
    usable = table["exclude_reason"] == ""
    table["fraction"] = label_fractions(groups[usable], table.loc[usable, "split"], seed=seed)
    table["duplicate_of"] = _first_copy(table, pixels)
    table["store_row"] = pd.Series(table.index, table.index, dtype="Int64").where(usable)
    table = table.join(read_reports(table))
    keys = {text: text_key(text) if text else "" for text in table["clean_text"].unique()}
    table["text_key"] = table["clean_text"].map(keys)
    for column in path_columns(table)[1:]:
        table[column] = table[column].fillna("")
    return table if deidentified else hash_identities(table, out)


def _exclude_leaking(table: pd.DataFrame, pixels: pd.Series) -> pd.Series:
    """exclude_reason, with images excluded that are identical to one of a better protected split (test, then val)."""
    rank = table["split"].map({name: position for position, name in enumerate(SPLITS)})
    known = (pixels != "") & (table["exclude_reason"] == "")
    protected = rank[known].groupby(pixels[known]).transform("max").reindex(table.index, fill_value=-1)
    reason = "duplicate across splits: same pixels as an image of " + protected.map(lambda p: SPLITS[int(p)])
    return table["exclude_reason"].where(~(protected > rank), reason)


def _first_copy(table: pd.DataFrame, pixels: pd.Series) -> pd.Series:
    """Row of the first image with the same pixels; <NA> for an image that has no earlier copy."""
    rows = pd.Series(np.arange(len(table)), table.index)
    first = rows.groupby(pixels).transform("first")
    return first.where((pixels != "") & (first < rows)).astype("Int64")
