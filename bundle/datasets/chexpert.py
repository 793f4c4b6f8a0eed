"""CheXpert v1.0, small or full: patient, study and part stand in the path alone."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

import pandas as pd

from scripts.data.cells import read_ages, read_labels

from .facts import Expected, Facts
from .label_lists import no_negatives
from .layout import Manifest
from .official import add_share, keep_official
from .source import Source

NAMES = (
    *("No Finding", "Enlarged Cardiomediastinum", "Cardiomegaly", "Lung Opacity", "Lung Lesion", "Edema"),
    *("Consolidation", "Pneumonia", "Atelectasis", "Pneumothorax", "Pleural Effusion", "Pleural Other", "Fracture"),
    "Support Devices",
)
FACTS = Facts(
    name="chexpert",
    title="CheXpert v1.0",
    url="https://stanfordmlgroup.github.io/competitions/chexpert",
    licence="Stanford University Dataset Research Use Agreement",
    citation="Irvin J et al. CheXpert: A large chest radiograph dataset with uncertainty labels. AAAI 2019.",
    size="11 GB (small), 439 GB",
    files=("train.csv", "valid.csv", "[test.csv]", "train/patient00001/study1/view1_frontal.jpg"),
    expected={
        "train and valid": Expected(223_648, 64_740, "the tables; patients 1 to 64,740"),
        "with test": Expected(224_316, 65_240, "the paper"),
    },
    policy="1, 0, -1 uncertain, blank 'not mentioned', which MGCA counts as negative (the overlay, published)",
    names=NAMES,
)
PATIENT = r"(?P<patient>patient\d+)/(?P<study>study\d+)/"


def add_arguments(parser: ArgumentParser) -> None:
    """`--val-share`: where the test images are not there, `valid` is the test part, as in published protocols."""
    add_share(parser)


def read(args: Namespace) -> Manifest:
    """Manifest of the folder `args.source`."""
    source = Source(args.source, FACTS)
    files = {"train": source.require("train.csv"), "val": source.require("valid.csv", "val.csv")}
    if test := source.find("test.csv", "test_labels.csv"):
        files["test"] = test
    parts = [_part(source, source.read_table(path), name) for name, path in files.items()]
    table = pd.concat([part for part, _ in parts], ignore_index=True)
    notes = [note for _, found in parts for note in found]
    split = table.pop("part")
    if not test:
        split = split.replace("val", "test")
        notes.append("no test.csv: `valid` is the test part, as in published protocols")
    notes += keep_official(table, split, args.val_share, args.seed)
    return Manifest(table, source.path, notes + no_negatives(table.filter(like="label_")))


def _part(source: Source, raw: pd.DataFrame, name: str) -> tuple[pd.DataFrame, list[str]]:
    paths = raw["Path"].str.strip()
    base, dropped = source.base(paths.tolist())
    ids = paths.str.extract(PATIENT)
    table = pd.DataFrame(
        {
            "image": [str(base.joinpath(*path.split("/")[dropped:])) for path in paths],
            "image_id": paths,
            "patient_id": ids["patient"],
            "study_id": ids["patient"] + "/" + ids["study"],
            "part": name,
        }
    )
    table["view"] = _views(raw) if "AP/PA" in raw else paths.str.extract("_(frontal|lateral)", expand=False)
    notes: list[str] = []
    if "Age" in raw:
        ages, notes = read_ages(raw["Age"])
        if len(placeholder := ages.index[ages == 0]):  # of adults
            notes.append(f"{name}: {len(placeholder)} row(s) of age 0 count as unknown")
        table["age"], table["sex"] = ages.where(ages > 0), raw["Sex"].where(raw["Sex"] != "Unknown")
    labels = [
        read_labels(raw[finding], f"{name}.csv").rename(f"label_{finding}") for finding in NAMES if finding in raw
    ]
    return pd.concat([table, *labels], axis=1), notes


def _views(raw: pd.DataFrame) -> pd.Series:
    """`AP/PA` says LL or RL of 17 frontals, and nothing of laterals."""
    direction, side = raw["AP/PA"], raw["Frontal/Lateral"]
    return direction.where(direction.isin(["AP", "PA"]) & (side == "Frontal"), side)
