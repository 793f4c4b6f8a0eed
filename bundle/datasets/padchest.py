"""PadChest: one table of 160,000 rows, findings as a printed list, images in numbered folders or zips."""

from __future__ import annotations

import ast
from argparse import ArgumentParser, Namespace

import pandas as pd

from .facts import Expected, Facts
from .label_lists import one_hot
from .layout import Manifest
from .source import Source

FACTS = Facts(
    name="padchest",
    title="PadChest",
    url="https://bimcv.cipf.es/bimcv-projects/padchest",
    licence="PADCHEST Dataset Research Use Agreement",
    citation="Bustos A et al. PadChest: A large chest x-ray image dataset. Medical Image Analysis 2020.",
    size="1 TB",
    files=("PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv", "0 … 50, 54 (.zip or unpacked)"),
    expected={
        "01.02.19": Expected(160_861, None, "counted in the table"),
        "paper": Expected(160_868, 67_625, "the paper, abstract"),
    },
    policy="of the report, 39,053 by physicians and 121,808 by a network; what is not named is absent",
    names=(
        *(
            "atelectasis",
            "cardiomegaly",
            "consolidation",
            "emphysema",
            "hiatal hernia",
            "infiltrates",
            "mass",
            "nodule",
        ),
        *("normal", "pleural effusion", "pleural thickening", "pneumonia", "pneumothorax", "pulmonary edema"),
        *("pulmonary fibrosis", "tuberculosis"),
    ),
)
UNUSABLE = ("exclude", "suboptimal study")


def add_arguments(parser: ArgumentParser) -> None:
    """Findings beyond the usual ones, and the reports, which are no text as others have it."""
    parser.add_argument(
        "--names", nargs="+", default=list(FACTS.names), metavar="FINDING", help="findings that become labels (sixteen)"
    )
    parser.add_argument(
        "--reports", action="store_true", help="take the reports: Spanish stems without accents and stop words, no text"
    )


def read(args: Namespace) -> Manifest:
    """Manifest of the folder `args.source`."""
    source = Source(args.source, FACTS)
    raw = source.table("PADCHEST*.csv", "PADCHEST*.csv.gz")
    names = raw["ImageID"].str.strip()
    table = pd.DataFrame(
        {
            "image": source.images(names, (".png",)),
            "image_id": names,
            "patient_id": raw["PatientID"],
            "study_id": raw["StudyID"],
            "view": raw["Projection"],  # `ViewPosition_DICOM` is blank in 46 %
            "sex": raw["PatientSex_DICOM"].where(raw["PatientSex_DICOM"].isin(["M", "F"])),
            "age": _ages(raw),
        }
    )
    found = [_labels(cell) for cell in raw["Labels"]]
    table = table.join(one_hot(found, args.names, table.index))
    words = [{word.strip() for word in some or ()} for some in found]
    reasons = [
        next((f"unusable, as its labels say: {word}" for word in UNUSABLE if word in some), "") for some in words
    ]
    table["exclude_reason"] = reasons
    if args.reports:
        table["report"] = raw["Report"]
    both = sum("normal" in some and len(some) > 1 for some in words)
    notes = [f"{both} images are `normal` and something else"] if both else []
    return Manifest(table, source.path, notes)


def _labels(cell: object) -> list[str] | None:
    """Findings of a printed list; None where it says nothing of them: no list, an empty one, or `unchanged` alone."""
    try:
        words = ast.literal_eval(cell) if isinstance(cell, str) else []
    except (ValueError, SyntaxError):
        return None
    names = [str(word).strip() for word in words] if isinstance(words, list) else []
    return names if set(names) - {"", "unchanged"} else None


def _ages(raw: pd.DataFrame) -> pd.Series:
    """Years between birth and study, from their years."""
    born = pd.to_numeric(raw["PatientBirth"], errors="coerce")
    years = pd.to_numeric(raw["StudyDate_DICOM"].str[:4], errors="coerce") - born
    return years.where(years.between(0, 122))
