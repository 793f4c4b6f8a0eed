"""SIIM-ACR Pneumothorax: relative run lengths, several rows an image, images by their UID somewhere below."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

import pandas as pd

from scripts.data.studies import EMPTY, UNION

from .archive import exists
from .facts import Expected, Facts
from .layout import Manifest
from .run_lengths import absolute_runs
from .source import Source

FACTS = Facts(
    name="siim",
    title="SIIM-ACR Pneumothorax Segmentation 2019",
    url="https://www.kaggle.com/c/siim-acr-pneumothorax-segmentation",
    licence="the challenge's terms: non-commercial research and education",
    citation="SIIM-ACR Pneumothorax Segmentation, Kaggle 2019.",
    size="2 GB",
    files=("train-rle.csv (or stage_2_train.csv)", "dicom-images-train/…/*.dcm"),
    expected={"stage 1, train": Expected(12_047, None, "counted in train-rle.csv, 12,954 rows, 2,669 positive")},
    policy="-1 = looked at, no pneumothorax",
    names=("Pneumothorax",),
    contains=("nih",),
    overlap="its images are NIH ChestX-ray14's; which ones has never been published",
)
NOTE = (
    "SIIM-ACR NAMES NO PATIENT: each image counts as one, so that images of one patient can lie in training and test "
    "at once. Its images are NIH's and no mapping exists: an encoder that saw NIH may have seen any of them."
)


def add_arguments(parser: ArgumentParser) -> None:
    """It needs none."""


def read(args: Namespace) -> Manifest:
    """Manifest of the folder `args.source`; the rows of an image are one mask."""
    source = Source(args.source, FACTS)
    raw = source.table("train-rle.csv", "stage_2_train.csv", "train-rle*.csv*", "*train*.csv")
    raw.columns = raw.columns.str.strip()
    cells = raw["EncodedPixels"].fillna("").str.strip()
    runs = cells.map(lambda cell: absolute_runs(cell) if cell else "")
    masks = runs.groupby(raw["ImageId"].str.strip(), sort=False).agg(_union)
    table = pd.DataFrame({"image_id": masks.index, "patient_id": masks.index, "study_id": masks.index})
    table["image"] = source.images((f"{name}.dcm" for name in masks.index), (".dcm",))
    table["mask_pneumothorax"] = masks.to_numpy()
    table["label_Pneumothorax"] = (masks != EMPTY).astype(float).mask(masks == "").to_numpy()
    others = len(source.by_name((".dcm",), "train")) - sum(map(exists, table["image"]))
    notes = [f"{others} images have no row in the table and are left out"] if others > 0 else []
    return Manifest(table, source.path, [NOTE, *notes])


def _union(rows: pd.Series) -> str:
    """The masks of an image; where one is drawn, a row that says "none" says nothing. Blank cells alone: unknown."""
    drawn = [row for row in rows if row not in (EMPTY, "")]
    return UNION.join(drawn) if drawn else EMPTY if (rows == EMPTY).any() else ""
