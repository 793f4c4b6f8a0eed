"""CheXpert Plus: reports by section in one table, labels in files of JSON lines.

Its `path_to_image` says `.jpg` where the PNG download has `.png`, and the label files are matched by that path: as
public code has it, for the set itself could not be had.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

import numpy as np
import pandas as pd

from scripts.data.cells import read_ages
from scripts.data.splits import split_words
from scripts.errors import CxrError

from .chexpert import NAMES
from .facts import Facts
from .label_lists import no_negatives
from .layout import Manifest
from .official import add_share, keep_official
from .source import Source, parse_json

FACTS = Facts(
    name="chexpert-plus",
    title="CheXpert Plus",
    url="https://stanfordaimi.azurewebsites.net (CheXpert Plus)",
    licence="Stanford University Dataset Research Use Agreement",
    citation="Chambon P et al. CheXpert Plus. arXiv:2405.19538, 2024.",
    size="not stated",
    files=("df_chexpert_plus_240401.csv", "PNG/train/… (or DICOM)", "[chexbert_labels/report_fixed.json]"),
    policy="CheXbert's, of the report: 1, 0, -1 uncertain, blank 'not mentioned'",
    names=NAMES,
    contains=("chexpert",),
    overlap="its images are CheXpert's train and valid",
)


def add_arguments(parser: ArgumentParser) -> None:
    """`--val-share`: there is no test part; `valid` is it, as in CheXpert's protocols."""
    add_share(parser)


def read(args: Namespace) -> Manifest:
    """Manifest of the folder `args.source`."""
    source = Source(args.source, FACTS)
    raw = source.table("df_chexpert_plus*.csv")
    paths = raw["path_to_image"].str.strip()
    ages, notes = read_ages(raw["age"])
    directions = raw["ap_pa"].where(raw["ap_pa"].isin(["AP", "PA"]) & (raw["frontal_lateral"] == "Frontal"))
    table = pd.DataFrame(
        {
            "image": _images(source, paths),
            "image_id": paths,
            "patient_id": raw["deid_patient_id"],
            # The order of a report is unique within its patient only.
            "study_id": raw["deid_patient_id"] + "/" + raw["patient_report_date_order"],
            "view": directions.fillna(raw["frontal_lateral"]),
            "sex": raw["sex"],
            "age": ages,
            "findings": raw["section_findings"],
            "impression": raw["section_impression"],
        }
    )
    split = split_words(raw["split"]).replace("val", "test")
    notes += ["there is no test part: `valid` is it", *keep_official(table, split, args.val_share, args.seed)]
    if file := source.find("chexbert_labels/report_fixed.json", "report_fixed.json"):
        labels = _labels(source.text(file) or "", file)
        for name in (name for name in NAMES if name in labels):
            table[f"label_{name}"] = paths.map(labels[name]).astype(float)
        notes += no_negatives(table.filter(like="label_"))
    return Manifest(table, source.path, notes)


def _images(source: Source, paths: pd.Series) -> list[str]:
    """Where the images lie, with the suffix that the download has."""
    suffix = ".png" if any(path.suffix == ".png" for path in source.files) else ".dcm"
    names = [str(path).rsplit(".", 1)[0] + suffix for path in paths]
    base, dropped = source.base(names)
    return [str(base.joinpath(*name.split("/")[dropped:])) for name in names]


def _labels(lines: str, file: Path) -> pd.DataFrame:
    rows = pd.DataFrame([parse_json(line, str(file)) for line in lines.splitlines() if line.strip()])
    if "path_to_image" not in rows:
        raise CxrError(f"{file}: its lines have no `path_to_image`, by which labels are matched; they have others.")
    return rows.drop_duplicates("path_to_image").set_index("path_to_image").replace({None: np.nan})
