"""covid-chestxray-dataset: images of publications, with CT slices and volumes among them."""

from __future__ import annotations

import re
from argparse import ArgumentParser, Namespace

import pandas as pd

from scripts.data.cells import read_ages

from .facts import Facts
from .label_lists import one_hot
from .layout import Manifest
from .source import Source

FACTS = Facts(
    name="covid-chestxray",
    title="covid-chestxray-dataset",
    url="https://github.com/ieee8023/covid-chestxray-dataset",
    licence="of each image (column license)",
    citation="Cohen JP et al. COVID-19 image data collection: prospective predictions are the future. MELBA 2020.",
    size="0.6 GB",
    files=("metadata.csv", "images/"),
    policy="of the publication, as a tree such as Pneumonia/Viral/COVID-19 (older releases: a word)",
    names=("Pneumonia", "Viral", "COVID-19", "Bacterial", "Fungal", "Tuberculosis", "No Finding"),
)


def add_arguments(parser: ArgumentParser) -> None:
    """It needs none."""


def read(args: Namespace) -> Manifest:
    """Manifest of the folder `args.source`; what is no radiograph stays as a row with its reason."""
    source = Source(args.source, FACTS)
    raw = source.table("metadata.csv")
    raw.columns = raw.columns.str.strip().str.lower()
    ages, notes = read_ages(raw["age"])
    files = raw["filename"].fillna("").str.strip()
    patients = raw["patientid"].str.strip()
    table = pd.DataFrame(
        {
            "image": source.images(files),
            "image_id": files,
            "patient_id": patients,
            "study_id": patients + "/" + raw["offset"].fillna("?").str.strip(),
            "view": raw["view"],
            "sex": raw["sex"],
            "age": ages,
            "exclude_reason": [
                _why_not(str(kind), str(folder)) for kind, folder in zip(raw["modality"], raw["folder"])
            ],
        }
    )
    found = [_findings(cell) for cell in raw["finding"]]
    return Manifest(table.join(one_hot(found, FACTS.names, table.index)), source.path, notes)


def _why_not(modality: str, folder: str) -> str:
    if modality.strip().lower() in ("x-ray", "xray", "cr", "dx"):
        return ""
    return f"not a radiograph: {'CT' if 'ct' in modality.lower() or folder == 'volumes' else 'another modality'}"


def _findings(cell: object) -> list[str] | None:
    """Every level of the tree; None where nobody says."""
    words = [word.strip() for word in re.split(r"[/,]", cell)] if isinstance(cell, str) else []
    return None if not words or words[0].lower() in ("todo", "unknown", "") else words
