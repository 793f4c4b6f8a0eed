"""VinDr-CXR of PhysioNet or Kaggle: three readers an image of the training part, their consensus in the test part."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

import pandas as pd

from scripts.errors import CxrError

from .box_lists import CORNERS, box_lists
from .facts import NO_PATIENT, Expected, Facts
from .layout import Manifest
from .official import add_share, keep_official
from .readers import merge_boxes, vote
from .source import Source

FACTS = Facts(
    name="vindr",
    title="VinDr-CXR",
    url="https://physionet.org/content/vindr-cxr (or Kaggle, vinbigdata-chest-xray-abnormalities-detection)",
    licence="PhysioNet Credentialed Health Data License 1.5.0",
    citation="Nguyen HQ et al. VinDr-CXR: An open dataset of chest X-rays. Scientific Data 2022.",
    size="192 GB",
    files=(
        *("annotations/annotations_train.csv, annotations_test.csv (Kaggle: train.csv)", "train/*.dicom, test/*.dicom"),
        "[annotations/image_labels_train.csv, image_labels_test.csv]",
    ),
    expected={"1.0.0": Expected(18_000, None, "the paper: 15,000 train, 3,000 test")},
    policy="three of seventeen radiologists read each training image; `--readers` says whose word counts",
    names=(
        *("Aortic enlargement", "Atelectasis", "Calcification", "Cardiomegaly", "Consolidation", "ILD", "Infiltration"),
        *("Lung Opacity", "Nodule/Mass", "Other lesion", "Pleural effusion", "Pleural thickening", "Pneumothorax"),
        "Pulmonary fibrosis",
    ),
)
NONE, CONSENSUS = "No finding", "consensus"
SPELLINGS = {"Other disease": "Other diseases"}  # in the test part's files alone
SIDES = dict(zip(("x_min", "y_min", "x_max", "y_max"), CORNERS))


def add_arguments(parser: ArgumentParser) -> None:
    """`--readers`, `--val-share`."""
    parser.add_argument(
        "--readers", default="majority", metavar="any|majority|R9", help="whose word counts of three (majority)"
    )
    add_share(parser)


def read(args: Namespace) -> Manifest:
    """Manifest of the folder `args.source`: `label_<finding>`, and each object once, by the rule of `merge_boxes`."""
    source = Source(args.source, FACTS)
    names = ["train", "test"] if source.find("annotations_test.csv") else ["train"]
    raws = {name: _annotations(source, name) for name in names}
    # What one part has no box of is absent there, not unknown.
    classes = sorted(set().union(*(raw["class_name"] for raw in raws.values())))
    parts = [_part(source, name, raw, classes, args.readers) for name, raw in raws.items()]
    table = pd.concat(parts, ignore_index=True)
    labels = [name for name in table if name.startswith("label_")]
    table[labels] = table[labels].astype(float)
    split, notes = table.pop("part"), [NO_PATIENT]
    if len(parts) > 1:
        notes += keep_official(table, split, args.val_share, args.seed)
    return Manifest(table, source.path, notes)


def _annotations(source: Source, name: str) -> pd.DataFrame:
    raw = source.table(f"annotations_{name}.csv", f"{name}.csv")
    raw["rad_id"] = raw.get("rad_id", CONSENSUS)
    raw["class_name"] = raw["class_name"].replace(SPELLINGS)
    return raw


def _part(source: Source, name: str, raw: pd.DataFrame, classes: list[str], rule: str) -> pd.DataFrame:
    readers = set(raw["rad_id"])
    if rule not in ("any", "majority", *readers) and readers != {CONSENSUS}:
        raise CxrError(f"--readers {rule}: write any, majority or one of {', '.join(sorted(readers))}.")
    rule = "any" if readers == {CONSENSUS} else rule
    votes = _votes(source, raw, classes, name)
    labels = {f"label_{finding}": vote(votes[finding].unstack("rad_id"), rule) for finding in votes if finding != NONE}
    found = pd.DataFrame(labels)
    ids = found.index.to_series()
    table = pd.DataFrame({"image_id": ids, "patient_id": ids, "study_id": ids, "part": name})
    table["image"] = source.images((f"{image}.dicom" for image in ids), (".dicom", ".dcm", ".png", ".jpg"))
    table["boxes"], table["box_labels"] = box_lists(_boxes(raw, rule), ids, found.notna().any(axis=1))
    return table.join(found).reset_index(drop=True)


def _votes(source: Source, raw: pd.DataFrame, classes: list[str], name: str) -> pd.DataFrame:
    """1 and 0 of each finding, a row an image and reader: of the table of image labels, else whose boxes there are."""
    if file := source.find(f"image_labels_{name}.csv"):
        labels = source.read_table(file).rename(columns=SPELLINGS)
        labels["rad_id"] = labels.get("rad_id", CONSENSUS)
        return labels.set_index(["image_id", "rad_id"]).apply(pd.to_numeric)
    found = pd.crosstab([raw["image_id"], raw["rad_id"]], raw["class_name"]).clip(upper=1)
    return found.reindex(columns=classes, fill_value=0)


def _boxes(raw: pd.DataFrame, rule: str) -> pd.DataFrame:
    boxes = raw.rename(columns={"image_id": "image", "class_name": "label", "rad_id": "reader", **SIDES})
    boxes[CORNERS] = boxes[CORNERS].apply(pd.to_numeric)
    boxes = boxes[boxes[CORNERS].notna().all(axis=1)]
    if rule not in ("any", "majority"):
        return boxes[boxes["reader"] == rule]
    # Of three readers two are more than half.
    return merge_boxes(boxes, 1 if rule == "any" else 2)
