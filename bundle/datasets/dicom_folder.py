"""Any folder of DICOM files: who, which study and which view stands in their tags."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

import pandas as pd
import pydicom
from rich.progress import track

from scripts.data.cells import read_ages
from scripts.data.table_file import read_table
from scripts.errors import CxrError
from scripts.radiograph.file_kind import is_dicom, is_image

from .archive import local_file
from .cells import column
from .facts import Facts
from .layout import Manifest
from .source import Source

FACTS = Facts(
    name="dicom",
    title="A folder of DICOM files",
    url="your PACS",
    licence="yours",
    citation="",
    size="any",
    files=("DICOM files with or without suffix, in any folders",),
    policy="none; give a table of labels with `prepare table` instead",
)
TAGS = {
    "patient_id": "PatientID",
    "study_id": "StudyInstanceUID",
    "accession": "AccessionNumber",
    "view": "ViewPosition",
    "age": "PatientAge",
    "sex": "PatientSex",
}


def add_arguments(parser: ArgumentParser) -> None:
    """Reports from a table of their own."""
    add = parser.add_argument
    add("--reports", metavar="CSV", help="a table of reports, joined by --on")
    add("--on", default="AccessionNumber", metavar="COL", help="its column of the accession number or study UID")
    add("--report", default="report", metavar="COL", help="its column of the text (report)")


def read(args: Namespace) -> Manifest:
    """Manifest of the folder `args.source`. A file whose tags cannot be read stays as a row, and decoding says why.

    Raises:
        CxrError: there is no DICOM file, or the table of reports lacks a column.
    """
    source = Source(args.source, FACTS)
    files = [path for path in source.files if not path.is_file() or _may_be_dicom(path)]
    if not files:
        raise CxrError(f"{source.path}: no DICOM file among {len(source.files)} files.")
    rows = [_tags(path) for path in track(files, "tags", disable=len(files) < 1000)]
    table = pd.DataFrame(rows)
    table["image"] = list(map(str, files))
    table["image_id"] = [path.relative_to(source.path).as_posix() for path in files]
    notes = [f"{len(source.files) - len(files)} files are no DICOM image (DICOMDIR, texts, pictures) and left out"]
    nobody = table["patient_id"] == ""
    notes += [f"{nobody.sum()} files name no patient: each counts as one"] if nobody.any() else []
    table["patient_id"] = table["patient_id"].where(~nobody, table["image_id"])
    table["study_id"] = table["study_id"].where(table["study_id"] != "", table["image_id"])
    table["age"], about_ages = read_ages(table["age"])
    if args.reports:
        notes += _join_reports(table, args)
    return Manifest(table.drop(columns="accession"), source.path, notes + about_ages)


def _may_be_dicom(path: Path) -> bool:
    return is_dicom(path) and is_image(path)


def _tags(path: Path) -> dict[str, Any]:
    """The tags as texts, empty where there are none or they cannot be read."""
    try:
        with local_file(path) as file:
            found = pydicom.dcmread(file, stop_before_pixels=True, specific_tags=list(TAGS.values()))
        return {name: str(found.get(tag) or "").strip() for name, tag in TAGS.items()}
    except Exception:  # pydicom raises whatever it likes on a damaged header
        return dict.fromkeys(TAGS, "")


def _join_reports(table: pd.DataFrame, args: Namespace) -> list[str]:
    path = Path(args.reports)
    raw = read_table(path)
    keys = column(raw, args.on, "--on", path).fillna("").str.strip()
    texts = column(raw, args.report, "--report", path)
    found = dict(zip(keys[keys != ""], texts[keys != ""]))
    own = table["study_id"] if args.on == "StudyInstanceUID" else table["accession"]
    table["report"] = own.map(found)
    matched = table["report"].notna().sum()
    if not matched:
        raise CxrError(f"{path}: column {args.on} has none of the files' values; name another with --on.")
    return [f"{matched} of {len(table)} files have a report"]
