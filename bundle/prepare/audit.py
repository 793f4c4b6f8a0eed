"""What is in a prepared data set, as numbers that a person can check against what the data's owner says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table
from rich.text import Text

from scripts.data.splits import FRACTIONS, SPLITS
from scripts.data.studies import path_columns

from .reports import report_counts

SECTIONS = (
    *("images", "excluded", "photometric", "remarks", "views", "ages"),
    *("pixels", "text", "reports", "masks", "boxes", "duplicates"),
)
"""A printed line each."""

LABEL_VALUES = {"positive": 1.0, "negative": 0.0, "uncertain": -1.0}


def audit(table: pd.DataFrame, notes: list[str]) -> dict[str, Any]:
    """Counts over the rows in use, plain JSON values; exclusions and duplicates over all rows."""
    used = table[table["exclude_reason"] == ""]
    return {
        "images": {"rows": len(table), "used": len(used)},
        "excluded": _counts(table["exclude_reason"][table["exclude_reason"] != ""].str.split(":").str[0]),
        "splits": _splits(used),
        "fractions": {f"{f} %": _size(used[used["fraction"] <= f]) for f in FRACTIONS},
        "views": _counts(used["view"]),
        "ages": _ages(used),
        "photometric": _counts(used["photometric"].fillna("not DICOM")),
        "remarks": _counts(used["remarks"].dropna().str.split("; ").explode()),
        "pixels": _pixels(used),
        "text": _text(used),
        "reports": report_counts(used),
        "labels": _labels(used),
        "masks": {c.removeprefix("mask_"): int((used[c] != "").sum()) for c in path_columns(table)[1:]},
        "boxes": _boxes(used),
        "duplicates": _duplicates(table),
        "notes": notes,
    }


def print_audit(result: dict[str, Any], console: Console) -> None:
    """The audit as one table: a line a fact."""
    lines = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    lines.add_column(style="bold")
    lines.add_column(overflow="fold")
    for section in SECTIONS:
        if result[section]:
            facts = ", ".join(f"{key} {_short(value)}" for key, value in result[section].items())
            lines.add_row(section, Text(facts))  # as `Text`: rich takes `[x]` in a string for markup
    for section in ("splits", "fractions"):
        for name, size in result[section].items():
            lines.add_row(f"{section[:-1]} {name}", ", ".join(f"{count} {what}" for what, count in size.items()))
    for note in result["notes"]:
        lines.add_row("note", Text(note))
    console.print(lines)
    if result["labels"]:
        console.print(_label_table(result["labels"]))


def _label_table(labels: dict[str, dict[str, dict[str, int]]]) -> Table:
    splits = list(next(iter(labels.values())))
    table = Table("label", *splits, title="labels: positive / negative / uncertain / unknown", title_justify="left")
    for name, counts in labels.items():
        table.add_row(Text(name), *(" / ".join(map(str, counts[split].values())) for split in splits))
    return table


def _short(value: Any) -> str:
    return " / ".join(f"{v:g}" for v in value) if isinstance(value, list) else str(value)


def _counts(values: pd.Series) -> dict[str, int]:
    return {str(key): int(count) for key, count in values.value_counts().items()}


def _size(rows: pd.DataFrame) -> dict[str, int]:
    return {"images": len(rows), "studies": rows["study_id"].nunique(), "patients": rows["patient_id"].nunique()}


def _splits(used: pd.DataFrame) -> dict[str, dict[str, int]]:
    return {name: _size(rows) for name in SPLITS if len(rows := used[used["split"] == name])}


def _quantiles(values: pd.Series) -> list[float]:
    """Minimum, median, maximum."""
    return [round(float(v), 3) for v in np.quantile(values, (0, 0.5, 1))] if len(values) else []


def _pixels(used: pd.DataFrame) -> dict[str, Any]:
    return {
        "height (min / median / max)": _quantiles(used["height"]),
        "width": _quantiles(used["width"]),
        "spacing known": int(used["spacing_y"].notna().sum()),
        "spacing mm": _quantiles(used["spacing_y"].dropna()),
    }


def _ages(used: pd.DataFrame) -> dict[str, Any]:
    if "age" not in used:
        return {}
    known = used["age"].dropna()
    return {"known": len(known), "unknown": len(used) - len(known), "years (min / median / max)": _quantiles(known)}


def _text(used: pd.DataFrame) -> dict[str, Any]:
    texts = used["clean_text"][used["clean_text"] != ""]
    if texts.empty:
        return {}
    return {
        "images with text": len(texts),
        "distinct": texts.nunique(),
        "words (min / median / max)": _quantiles(texts.str.split().str.len()),
    }


def _labels(used: pd.DataFrame) -> dict[str, dict[str, dict[str, int]]]:
    result = {}
    for column in (c for c in used if str(c).startswith("label_")):
        by_split = {name: used.loc[used["split"] == name, column] for name in SPLITS if (used["split"] == name).any()}
        result[column.removeprefix("label_")] = {
            name: {
                **{word: int((values == number).sum()) for word, number in LABEL_VALUES.items()},
                "unknown": int(values.isna().sum()),
            }
            for name, values in by_split.items()
        }
    return result


def _boxes(used: pd.DataFrame) -> dict[str, int]:
    if "boxes" not in used:
        return {}
    names = used["box_labels"].dropna().explode().dropna()
    counts = used["boxes"].dropna().map(len)
    return {"images with boxes": int((counts > 0).sum()), "certainly none": int((counts == 0).sum()), **_counts(names)}


def _duplicates(table: pd.DataFrame) -> dict[str, int]:
    copies = table[table["duplicate_of"].notna()]
    originals = table.loc[copies["duplicate_of"].astype(int)]
    return {
        "copies": len(copies),
        "of another patient": int((copies["patient_id"].to_numpy() != originals["patient_id"].to_numpy()).sum()),
        "in another split": int((copies["split"].to_numpy() != originals["split"].to_numpy()).sum()),
    }
