"""MIMIC-CXR-JPG and MIMIC-CXR: paths follow from the ids, findings are those of studies, reports lie in a zip."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

import pandas as pd

from scripts.data.cells import read_labels
from scripts.data.splits import split_words
from scripts.errors import CxrError

from .archive import exists
from .chexpert import NAMES
from .facts import Expected, Facts
from .label_lists import no_negatives
from .layout import Manifest
from .official import add_share, keep_official
from .source import Source

FACTS = Facts(
    name="mimic-cxr",
    title="MIMIC-CXR-JPG 2.x or MIMIC-CXR",
    url="https://physionet.org/content/mimic-cxr-jpg",
    licence="PhysioNet Credentialed Health Data License 1.5.0",
    citation="Johnson AEW et al. MIMIC-CXR-JPG, a large publicly available database. arXiv:1901.07042, 2019.",
    size="558 GB (JPG), 4.6 TB (DICOM)",
    files=(
        *("mimic-cxr-2.0.0-metadata.csv.gz", "mimic-cxr-2.0.0-split.csv.gz", "files/p10/…/*.jpg (or .dcm)"),
        *("[mimic-cxr-reports.zip]", "[mimic-cxr-2.0.0-chexpert.csv.gz]", "[mimic-cxr-2.0.0-negbio.csv.gz]"),
    ),
    expected={"2.x": Expected(377_110, 65_379, "arXiv:1901.07042v5, table 3: 368,960 / 2,991 / 5,159 images")},
    policy="of a study: 1, 0, -1 uncertain, blank 'not mentioned'; 227,827 of 227,835 studies have labels",
    names=NAMES,
    overlap="MS-CXR's boxes lie on images of its training part too",
)


def add_arguments(parser: ArgumentParser) -> None:
    """Whose labels."""
    parser.add_argument("--labeler", choices=("chexpert", "negbio"), default="chexpert", help="whose labels (chexpert)")
    add_share(parser)


def read(args: Namespace) -> Manifest:
    """Manifest of the folder `args.source`."""
    source = Source(args.source, FACTS)
    raw = source.table("*metadata.csv.gz", "*metadata.csv")
    table = pd.DataFrame(
        {
            "image": _images(source, raw),
            "image_id": raw["dicom_id"],
            "patient_id": raw["subject_id"],
            "study_id": raw["study_id"],
            "view": raw["ViewPosition"],
        }
    )
    # The columns of the split's table stand in another order: by name, never by place.
    parts = source.table("*-split.csv.gz", "*-split.csv").set_index("dicom_id")["split"]
    notes = keep_official(table, table["image_id"].map(split_words(parts)), args.val_share, args.seed)
    if file := source.find(f"*{args.labeler}.csv.gz", f"*{args.labeler}.csv"):
        labels = source.read_table(file).set_index("study_id")
        for name in (name for name in NAMES if name in labels):
            table[f"label_{name}"] = table["study_id"].map(read_labels(labels[name], file.name))
        notes += no_negatives(table.filter(like="label_"))
    reports, lacking = _reports(source, table)
    if reports is not None:
        table["report"] = reports
        notes += [f"{lacking} studies have no report"] if lacking else []
    return Manifest(table, source.path, notes)


def _images(source: Source, raw: pd.DataFrame) -> list[str]:
    """`files/p10/p10000032/s50414267/<dicom_id>`, with the suffix that the download has."""
    names = [
        f"files/p{subject[:2]}/p{subject}/s{study}/{image}"
        for subject, study, image in zip(raw["subject_id"], raw["study_id"], raw["dicom_id"])
    ]
    for suffix in (".jpg", ".dcm"):
        try:
            base, dropped = source.base([name + suffix for name in names])
        except CxrError:
            continue
        return [str(base.joinpath(*f"{name}{suffix}".split("/")[dropped:])) for name in names]
    raise CxrError(f"{source.path}: neither files/p10/…/*.jpg nor *.dcm of the {len(names)} images of its metadata.")


def _reports(source: Source, table: pd.DataFrame) -> tuple[pd.Series | None, int]:
    """The text of each row's study, and how many studies have none; None where there are no reports at all."""
    studies = table[["patient_id", "study_id"]].drop_duplicates("study_id")
    names = [f"files/p{p[:2]}/p{p}/s{s}.txt" for p, s in zip(studies["patient_id"], studies["study_id"])]
    archive = source.find("mimic-cxr-reports.zip")  # itself: what lies in an archive counts as lying in a folder
    for place in (archive, source.path):
        if place is not None and any(exists(place / name) for name in names[:: max(1, len(names) // 50)]):
            texts = [source.text(place / name) for name in names]
            found = dict(zip(studies["study_id"], texts))
            return table["study_id"].map(found), sum(text is None for text in texts)
    return None, 0
