"""Boxes of findings, from a JSON column or from a CSV of their own."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import numpy as np
import pandas as pd

from bundle.datasets import cells
from scripts.errors import CxrError

CORNERS = ["x0", "y0", "x1", "y1"]


def add_boxes(out: pd.DataFrame, raw: pd.DataFrame, args: Namespace, path: Path) -> list[str]:
    """Add `boxes` (list of [x0, y0, x1, y1], original pixels) and `box_labels` to `out`; None = nobody looked for
    boxes.

    In a JSON column an empty list means "no finding", an empty cell "unknown"; a CSV of boxes says nothing about
    other images.

    Returns:
        Notes for the person: boxes that belong to no image of the table.

    Raises:
        CxrError: when `args.boxes` is neither a column nor a file, or a box is malformed.
    """
    if args.boxes in raw:
        rows = raw[args.boxes].items()
        out["boxes"] = [
            cells.json_list(cell, args.boxes, row, path) if isinstance(cell, str) else None for row, cell in rows
        ]
        names = raw[args.box_labels] if args.box_labels else pd.Series(None, raw.index, dtype=object)
        out["box_labels"] = [
            None if found is None else cells.json_list(cell, args.box_labels, row, path) or ["finding"] * len(found)
            for found, (row, cell) in zip(out["boxes"], names.items(), strict=True)
        ]
        _check(out, path)
        return []
    file = next((p for p in (Path(args.boxes), path.parent / args.boxes) if p.is_file()), None)
    if file is None:
        raise CxrError(
            f"--boxes {args.boxes}: neither a column of {path} nor a file (also looked for beside the table)."
        )
    found = pd.read_csv(file)
    if missing := [column for column in ("image", "label", *CORNERS) if column not in found]:
        raise CxrError(f"{file}: no column {', '.join(missing)}; a box file has image,label,x0,y0,x1,y1.")
    groups = {
        image: (group[CORNERS].to_numpy(float).tolist(), group["label"].astype(str).tolist())
        for image, group in found.groupby("image")
    }
    pairs = [groups.get(image, (None, None)) for image in out["image"]]
    out["boxes"], out["box_labels"] = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    _check(out, file)
    lost = int((~found["image"].isin(out["image"])).sum())
    return [f"{lost} of {len(found)} boxes belong to no image of the table"] if lost else []


def _check(out: pd.DataFrame, path: Path) -> None:
    for row, (found, names) in enumerate(zip(out["boxes"], out["box_labels"], strict=True)):
        if not found:
            continue
        corners = np.asarray(found, dtype=float) if all(len(box) == 4 for box in found) else np.zeros((1, 4))
        if len(found) != len(names) or not ((corners[:, 2:] > corners[:, :2]).all() and np.isfinite(corners).all()):
            raise CxrError(f"{path}: table row {row}: a box needs x0 < x1 and y0 < y1, four numbers, and one label.")
