"""Boxes of findings, from a JSON column or from a CSV of their own."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import pandas as pd

from scripts.data.boxes import check_boxes, read_boxes
from scripts.data.cells import file_name
from scripts.data.table_file import column_names, read_table
from scripts.errors import CxrError

from . import cells
from .box_lists import CORNERS, box_lists


def add_boxes(out: pd.DataFrame, raw: pd.DataFrame, args: Namespace, path: Path) -> list[str]:
    """Add `boxes` (list of [x0, y0, x1, y1], original pixels) and `box_labels` to `out`; None = nobody looked for
    boxes.

    In a JSON column an empty list means "no finding", an empty cell "unknown"; a CSV of boxes says nothing about
    other images, which is what `args.no_boxes` (COLUMN=VALUE) is for: such rows hold none.

    Returns:
        Notes for the person: boxes that belong to no image of the table, images said to have none that have some.

    Raises:
        CxrError: when `args.boxes` is neither a column nor a file, a box is malformed, or no row is as `args.no_boxes`
            says.
    """
    if args.boxes in raw:
        names = cells.column(raw, args.box_labels, "--box-labels", path) if args.box_labels else None
        out["boxes"], out["box_labels"] = read_boxes(raw[args.boxes], names, str(path))
        return _mark_without(out, raw, args.no_boxes, path)
    file = next((p for p in (Path(args.boxes), path.parent / args.boxes) if p.is_file()), None)
    if file is None:
        raise CxrError(
            f"--boxes {args.boxes}: neither a column of {path} nor a file (also looked for beside the table)."
        )
    found = read_table(file)  # as the table: image 007 stays 007
    if missing := [column for column in ("image", "label", *CORNERS) if column not in found]:
        raise CxrError(
            f"{file}: no column {', '.join(missing)}; a box file has image,label,x0,y0,x1,y1, and this one "
            f"{column_names(found)}."
        )
    found[CORNERS] = found[CORNERS].apply(pd.to_numeric, errors="coerce")
    if len(wrong := found.index[found[CORNERS].isna().any(axis=1)]):
        raise CxrError(
            f"{file}: {len(wrong)} rows have no four numbers x0, y0, x1, y1, for example rows {wrong[:6].tolist()}. "
            "Correct them; an image without a box has no row here, see --no-boxes."
        )
    found["image"] = found["image"].fillna("").map(file_name)
    found["label"] = found["label"].fillna("finding")
    boxes, names = box_lists(found, out["image"], [False] * len(out))
    check_boxes(boxes, names, str(file))
    out["boxes"], out["box_labels"] = boxes, names
    lost = int((~found["image"].isin(out["image"])).sum())
    notes = [f"{lost} of {len(found)} boxes belong to no image of the table"] if lost else []
    return notes + _mark_without(out, raw, args.no_boxes, path)


def _mark_without(out: pd.DataFrame, raw: pd.DataFrame, conditions: list[str], path: Path) -> list[str]:
    """Give the rows that are known to hold no box an empty list of them."""
    said = pd.Series(False, out.index)
    for condition in conditions:
        name, value = cells.pair(condition, "--no-boxes")
        column = cells.column(raw, name, "--no-boxes", path).fillna("").str.strip()
        if not (column == value).any():
            raise CxrError(
                f"{path}: --no-boxes {condition}: no row has {value!r} there; it has {cells.categories(column)}."
            )
        said |= column == value
    both = said & out["boxes"].map(bool)
    for column in ("boxes", "box_labels"):
        out[column] = [[] if none and not cell else cell for none, cell in zip(said, out[column], strict=True)]
    return [f"{both.sum()} images that --no-boxes speaks of have boxes, which are kept"] if both.any() else []
