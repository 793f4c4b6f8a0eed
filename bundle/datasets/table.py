"""Layout of any CSV or Parquet table: the command line says which column is what."""

from __future__ import annotations

import csv
from argparse import ArgumentParser, Namespace
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
import pandas as pd

from scripts.data.cells import file_name, read_ages, read_labels
from scripts.data.splits import SPLITS, check_leakage, split_words
from scripts.data.studies import TEXT_COLUMNS, UNION, is_path, map_masks
from scripts.data.table_file import read_table
from scripts.errors import CxrError

from . import boxes, cells, rows
from .label_lists import one_hot, split_lists
from .layout import Manifest
from .official import add_share, keep_official
from .run_lengths import absolute_runs

LOOK_FOR = 200
PLAIN_COLUMNS = ("study", "view", *TEXT_COLUMNS, "sex", "age", "split")


def add_arguments(parser: ArgumentParser) -> None:
    """Column mapping; `args.source` is the table."""
    add = parser.add_argument
    add(
        "--image",
        default="image",
        metavar="COL",
        help="path of the image, from --root (default: column 'image'); or a template, 'files/p{subject:.2}/{id}.jpg'",
    )
    rows.add_row_arguments(parser)
    for name in PLAIN_COLUMNS:
        add(f"--{name}", metavar="COL", help=f"column of the {name}")
    add(
        "--split-map",
        action="append",
        default=[],
        metavar="THEIRS=OURS",
        help="such as valid=val; ours are train, val, test",
    )
    add(
        "--labels",
        type=_names,
        default=[],
        metavar="COL[,COL]",
        help="label columns (1, 0, -1 uncertain, empty); * as in file names; one with a comma in double quotes",
    )
    add(
        "--mask",
        action="append",
        default=[],
        metavar="NAME=COL",
        help="column of a mask's path (or run-length string, -1 = none there; several parted by | = union), repeatable",
    )
    add(
        "--boxes",
        metavar="COL|CSV",
        help="JSON list column [[x0,y0,x1,y1], …], or a CSV image,label,x0,y0,x1,y1 beside the table",
    )
    add(
        "--no-boxes",
        action="append",
        default=[],
        metavar="COL=VALUE",
        help="rows that hold no box for certain, such as findings='No Finding' beside a CSV of boxes; repeatable",
    )
    add("--rle", choices=("absolute", "relative"), default="absolute", help="of masks: relative as SIIM-ACR's")
    add(
        "--label-list",
        metavar="COL",
        help="column that lists the findings of an image: labels of 1 and 0",
    )
    add("--sep", default="|", help="what parts them (|)")
    add_share(parser)
    add("--box-labels", metavar="COL", help="JSON list column of the boxes' names")
    add("--root", metavar="DIR", help="folder that the paths start from (default: the table's folder)")


def read(args: Namespace) -> Manifest:
    """Manifest of the table `args.source`.

    Raises:
        CxrError: for a table that cannot be read or is empty, a column that is not there, or a cell that means nothing.
    """
    path = Path(args.source)
    raw = rows.select_rows(read_table(path), args, path)
    names = rows.image_names(raw, args, path)
    root = Path(args.root or path.parent).resolve()
    out = pd.DataFrame(
        {
            "image": names,
            "patient_id": rows.patients(raw, names, args, path),
        }
    )
    for name in ("image", "patient_id"):
        if (empty := out.index[out[name] == ""]).size:
            raise CxrError(
                f"{path}: {len(empty)} rows have no {name}, for example rows {empty[:6].tolist()}. Fill or remove them."
            )
    out["image_id"] = out["image"]
    out["study_id"] = out["image"]  # without a study column each image is a study of its own
    for name in PLAIN_COLUMNS:
        if (column := getattr(args, name)) is not None:
            values = cells.column(raw, column, f"--{name}", path)
            out[{"study": "study_id"}.get(name, name)] = values if name in TEXT_COLUMNS else values.str.strip()
    out["study_id"] = out["study_id"].replace("", None).fillna(out["image"])
    notes: list[str] = []
    if "age" in out:
        out["age"], notes = read_ages(out["age"])
    if "split" in out:
        out["split"] = _splits(
            out["split"].rename(args.split), dict(cells.pair(entry, "--split-map") for entry in args.split_map), path
        )
    for column in _matching(args.labels, raw, path):
        out[f"label_{column.removeprefix('label_')}"] = read_labels(raw[column], str(path))
    if args.label_list:
        found = split_lists(cells.column(raw, args.label_list, "--label-list", path), args.sep)
        out = out.join(one_hot(found, list(dict.fromkeys(name for some in found for name in some)), out.index))
    for name, column in (cells.pair(entry, "--mask") for entry in args.mask):
        masks = cells.column(raw, column, "--mask", path)
        out[f"mask_{name}"] = masks.map(absolute_runs, na_action="ignore") if args.rle == "relative" else masks
    if args.no_boxes and not args.boxes:
        raise CxrError("--no-boxes says where boxes were looked for in vain; give the boxes, too, with --boxes.")
    notes += boxes.add_boxes(out, raw, args, path) if args.boxes else []
    out["image"] = rows.places(out["image"], root, args.find)
    for column in (c for c in out if c.startswith("mask_")):
        out[column] = out[column].map(lambda cell: map_masks(cell, lambda name: str(root / file_name(name))))
        notes += _missing_masks(out[column], path)
    _check_text(out, path)
    if "split" in out and set(out["split"]) == {"train", "test"}:
        check_leakage(out, str(path))
        notes += keep_official(out, out["split"], args.val_share, args.seed)
    return Manifest(out, root, notes)


def _matching(patterns: list[str], raw: pd.DataFrame, path: Path) -> list[str]:
    found: dict[str, None] = {}
    for pattern in patterns:
        names = [pattern] if pattern in raw else [column for column in raw if fnmatchcase(column, pattern)]
        found.update(dict.fromkeys(names or [str(cells.column(raw, pattern, "--labels", path).name)]))
    return list(found)


def _splits(column: pd.Series, mapping: dict[str, str], path: Path) -> pd.Series:
    names = split_words(column.str.strip().replace(mapping))
    wrong = names.index[~names.isin(SPLITS)]
    if len(wrong):
        raise CxrError(
            f"{path}: {len(wrong)} row(s), for example {wrong[:6].tolist()}, are in none of {', '.join(SPLITS)}; map "
            f"the words of column {column.name!r} ({cells.categories(column)}) with --split-map THEIRS=train"
        )
    return names


def _missing_masks(column: pd.Series, path: Path) -> list[str]:
    """A note of masks that are not where the table says; a CxrError when none is. Evenly chosen ones stand for all."""
    names = [part for cell in column.dropna() for part in cell.split(UNION) if is_path(part)]
    some = [names[place] for place in np.linspace(0, len(names) - 1, min(len(names), LOOK_FOR), dtype=int)]
    missing = sum(not Path(name).is_file() for name in some)
    if missing and missing == len(some):
        raise CxrError(
            f"{path}: column {column.name}: not one of {len(some)} masks looked for exists; give the folder that "
            "the paths start from with --root."
        )
    return [f"{missing} of {len(some)} masks looked for in {column.name} are missing"] if missing else []


def _check_text(table: pd.DataFrame, path: Path) -> None:
    present = [column for column in TEXT_COLUMNS if column in table]
    if present and (table[present].fillna("").apply(lambda c: c.str.strip()) == "").all(axis=None):
        raise CxrError(
            f"{path}: every cell of the text column(s) mapped to {', '.join(present)} is empty. Map another column."
        )


def _names(value: str) -> list[str]:
    (names,) = csv.reader([value], skipinitialspace=True)
    return [name.strip() for name in names if name.strip()]
