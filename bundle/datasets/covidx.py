"""COVIDx: lists without a header, `patient file class source`."""

from __future__ import annotations

import re
from argparse import ArgumentParser, Namespace
from pathlib import Path

import pandas as pd

from scripts.errors import CxrError

from .facts import Expected, Facts
from .label_lists import one_hot
from .layout import Manifest
from .official import add_share, keep_official
from .source import Source

FACTS = Facts(
    name="covidx",
    title="COVIDx CXR",
    url="https://www.kaggle.com/datasets/andyczhao/covidx-cxr2",
    licence="of each source",
    citation="Wang L, Lin ZQ, Wong A. COVID-Net. Scientific Reports 2020.",
    size="not stated",
    files=("train_COVIDx*.txt", "test_COVIDx*.txt", "train/", "test/"),
    expected={"V9A": Expected(30_530, None, "counted in COVID-Net's lists: 30,130 train, 400 test")},
    policy="one class an image; some releases have `positive` and `negative` alone",
    names=("normal", "pneumonia", "COVID-19"),
    contains=("rsna", "nih"),
    overlap="its `rsna` images are RSNA's, and so NIH's; others are covid-chestxray-dataset's",
)
SOURCES = {"rnsa": "rsna"}  # misspelt in 199 rows
ROW = re.compile(r"(?P<patient>\S+)\s+(?P<file>.+?)\s+(?P<label>\S+)\s+(?P<origin>\S+)")


def add_arguments(parser: ArgumentParser) -> None:
    """`--val-share`: the lists have train and test alone; `--release` where the lists of several are there."""
    parser.add_argument("--release", metavar="9A", help="of train_COVIDx9A.txt, where there are several (the first)")
    add_share(parser)


def read(args: Namespace) -> Manifest:
    """Manifest of the folder `args.source`."""
    source = Source(args.source, FACTS)
    parts = [_part(source, name, args.release) for name in ("train", "test")]
    table = pd.concat(parts, ignore_index=True)
    names = list(dict.fromkeys([*FACTS.names, *table["label"].unique()]))
    found = [name for name in names if (table["label"] == name).any()]
    table = table.join(one_hot([[label] for label in table["label"]], found, table.index))
    notes = keep_official(table, table.pop("part"), args.val_share, args.seed)
    counts = ", ".join(
        f"{origin}: {', '.join(f'{name} {count}' for name, count in rows.value_counts().items())}"
        for origin, rows in table["label"].groupby(table["origin"])
    )
    notes.append(f"THE SOURCE OF AN IMAGE GIVES ITS CLASS AWAY ({counts}): a network can learn the hospital.")
    if "rsna" in set(table["origin"]):
        notes.append("the patients of its rsna images are images: those of one patient can lie in two parts")
    return Manifest(table.drop(columns=["label", "origin"]), source.path, notes)


def _part(source: Source, name: str, release: str | None) -> pd.DataFrame:
    file = source.require(*([f"{name}_COVIDx{release}.txt"] if release else [f"{name}_COVIDx*.txt", f"{name}*.txt"]))
    lines = (source.text(file) or "").splitlines()
    rows = [_row(line, place, file) for place, line in enumerate(lines, 1) if line.strip()]
    raw = pd.DataFrame(rows, columns=["patient", "file", "label", "origin"])
    raw["origin"] = raw["origin"].replace(SOURCES)
    ids = f"{name}/" + raw["file"]
    images = source.images(raw["file"], under=f"{name}/")
    # Two sources number their patients alike; RSNA's are images.
    patients = raw["origin"] + "/" + raw["patient"]
    columns = {"image_id": ids, "image": images, "patient_id": patients, "study_id": ids, "part": name}
    return pd.DataFrame({**columns, "label": raw["label"], "origin": raw["origin"]})


def _row(line: str, place: int, file: Path) -> tuple[str, ...]:
    """A file's name may hold blanks, the other three do not."""
    if (found := ROW.fullmatch(line.strip())) is None:
        raise CxrError(f"{file}: line {place} is not `patient file class source`.")
    return found.groups()
