"""Which rows of a table are images, joined with what other tables know of them, and whose images they are."""

from __future__ import annotations

import re
from argparse import ArgumentParser, Namespace
from pathlib import Path
from string import Formatter

import pandas as pd

from scripts.data.cells import file_name
from scripts.data.table_file import read_table
from scripts.errors import CxrError

from . import cells
from .source import Source


def add_row_arguments(parser: ArgumentParser) -> None:
    """Rows, joins, patients and paths."""
    add = parser.add_argument
    add("--where", action="append", default=[], metavar="COL=VALUE", help="keep such rows alone; repeatable, all hold")
    add(
        "--join",
        action="append",
        default=[],
        metavar="FILE:KEY",
        help="add the columns of another table by a column KEY of both (one row a key there); repeatable",
    )
    add("--find", action="store_true", help="find the images by their names, anywhere below --root, in archives too")
    whose = parser.add_mutually_exclusive_group(required=True)
    whose.add_argument("--patient", metavar="COL", help="patient: splits keep all images of one patient together")
    whose.add_argument(
        "--patient-from", metavar="REGEX", help="the group of it that names the patient in the image's path"
    )
    whose.add_argument("--no-patient", action="store_true", help="nobody knows: each image counts as one")


def select_rows(raw: pd.DataFrame, args: Namespace, path: Path) -> pd.DataFrame:
    """The table after `--join` and `--where`; rows are numbered anew.

    Raises:
        CxrError: a table or column is not there, a key stands in two rows of the joined table, or nothing is left.
    """
    for entry in args.join:
        raw = _join(raw, entry, path)
    for entry in args.where:
        name, value = cells.pair(entry, "--where")
        column = cells.column(raw, name, "--where", path).fillna("").str.strip()
        if not (column == value).any():
            raise CxrError(f"{path}: --where {entry}: no row has {value!r} there; it has {cells.categories(column)}.")
        raw = raw[column == value]
    return raw.reset_index(drop=True)


def _join(raw: pd.DataFrame, entry: str, path: Path) -> pd.DataFrame:
    name, colon, key = entry.rpartition(":")
    if not colon:
        raise CxrError(f"--join {entry}: write it as FILE:KEY, the column that both tables have.")
    file = next((place for place in (Path(name), path.parent / name) if place.is_file()), Path(name))
    other = read_table(file)
    keys = cells.column(other, key, "--join", file).fillna("").str.strip()
    if len(double := keys.index[keys.duplicated() & (keys != "")]):
        raise CxrError(f"{file}: --join: {len(double)} rows repeat a {key}, for example row {double[0]}; keep one.")
    mine = cells.column(raw, key, "--join", path).fillna("").str.strip()
    new = [column for column in other if column not in raw]
    found = other[new].set_axis(keys, axis=0)
    found = found[found.index != ""].reindex(mine).set_axis(raw.index, axis=0)
    if not mine[mine != ""].isin(keys).any():
        raise CxrError(f"--join {entry}: not one {key} of {path} is in {file}.")
    return pd.concat([raw, found], axis=1)


def image_names(raw: pd.DataFrame, args: Namespace, path: Path) -> pd.Series:
    """Path of each image, as the table has it: a column, or a template such as `files/p{subject_id:.2}/{dicom_id}.jpg`.

    Raises:
        CxrError: a column is not there.
    """
    if "{" not in args.image:
        return cells.column(raw, args.image, "--image", path).fillna("").map(file_name)
    try:
        names = [name for _, name, _, _ in Formatter().parse(args.image) if name is not None]
        columns = [cells.column(raw, name, "--image", path).fillna("").str.strip() for name in names]
        rows = [dict(zip(names, row)) for row in zip(*columns)]
        return pd.Series([file_name(args.image.format_map(row)) for row in rows], raw.index, dtype=object)
    except ValueError as error:
        raise CxrError(f"--image {args.image}: {error}; write columns in braces, {{COL}} or {{COL:.2}}.") from error


def patients(raw: pd.DataFrame, images: pd.Series, args: Namespace, path: Path) -> pd.Series:
    """Whose image each is.

    Raises:
        CxrError: a column is not there, or the expression is none, or finds nobody in some path.
    """
    if args.no_patient:
        return images
    if args.patient_from is None:
        return cells.column(raw, args.patient, "--patient", path).fillna("").str.strip()
    try:
        pattern = re.compile(args.patient_from)
    except re.error as error:
        raise CxrError(f"--patient-from {args.patient_from}: no regular expression ({error}).") from error
    if pattern.groups != 1:
        raise CxrError(f"--patient-from {args.patient_from}: put the patient in one group, such as '(patient[0-9]+)/'.")
    found = images.map(lambda name: match[1] if (match := pattern.search(name)) else "")
    if len(nobody := found.index[found == ""]):
        raise CxrError(
            f"{path}: --patient-from {args.patient_from} finds nobody in {len(nobody)} paths, for example that of row "
            f"{nobody[0]}."
        )
    return found


def places(names: pd.Series, root: Path, find: bool) -> pd.Series:
    """Where the images are: below root by their paths, or anywhere by their names."""
    if not find:
        return names.map(lambda name: str(root / name))
    return pd.Series(Source(root).images(names.str.split("/").str[-1]), names.index, dtype=object)
