"""RSNA Pneumonia Detection: a row a box, DICOM files named by `patientId`, which is an image."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

import pandas as pd

from .box_lists import box_lists, from_xywh
from .facts import Expected, Facts
from .layout import Manifest
from .run_lengths import filled_box
from .source import Source

SIDE = 1024
"""Pixels of every image."""
FACTS = Facts(
    name="rsna",
    title="RSNA Pneumonia Detection Challenge 2018",
    url="https://www.kaggle.com/c/rsna-pneumonia-detection-challenge",
    licence="the challenge's terms: non-commercial research and education",
    citation="Shih G et al. Augmenting the NIH chest radiograph dataset with expert annotations. Radiology: AI 2019.",
    size="3.7 GB",
    files=(
        *("stage_2_train_images/*.dcm", "stage_2_train_labels.csv"),
        "[pneumonia-challenge-dataset-mappings_2018.json, which is RSNA's own and not in Kaggle's download]",
    ),
    expected={"stage 2, train": Expected(26_684, None, "counted in stage_2_train_labels.csv, 30,227 rows")},
    policy="Target 1 = opacity that may be pneumonia, with boxes; 0 = none, whatever else the image shows",
    names=("Pneumonia",),
    contains=("nih",),
    overlap="its images are NIH ChestX-ray14's, of NIH's train_val and of its test list",
)
UNKNOWN_PATIENTS = (
    "RSNA's `patientId` IS AN IMAGE: without RSNA's mapping JSON in SOURCE images of one patient can lie in training "
    "and test at once, and nobody can tell which images an encoder that saw NIH has seen."
)


def add_arguments(parser: ArgumentParser) -> None:
    """It needs none."""


def read(args: Namespace) -> Manifest:
    """Manifest of the folder `args.source`; labels, boxes and the masks that the boxes fill (MGCA's segmentation)."""
    source = Source(args.source, FACTS)
    raw = source.table("stage_2_train_labels.csv", "*train_labels.csv")
    numbers = raw[["x", "y", "width", "height"]].apply(pd.to_numeric)
    boxes = from_xywh(*(numbers[name] for name in numbers)).assign(image=raw["patientId"], label="pneumonia")
    target = (pd.to_numeric(raw["Target"]) == 1).groupby(raw["patientId"], sort=False).max()
    table = pd.DataFrame({"image_id": target.index})
    table["image"] = source.images((f"{name}.dcm" for name in table["image_id"]), (".dcm",))
    patients = _patients(source)
    table["patient_id"] = [patients.get(name, name) for name in table["image_id"]]
    table["study_id"] = table["image_id"]
    table["label_Pneumonia"] = target.to_numpy(float)
    table["boxes"], table["box_labels"] = box_lists(boxes[boxes["x0"].notna()], table["image_id"], [True] * len(table))
    table["mask_pneumonia"] = [
        "|".join(filled_box(box, SIDE, SIDE) for box in found) if found else "-1" for found in table["boxes"]
    ]
    mapped = table["image_id"].isin(patients)
    notes = [f"{mapped.sum()} of {len(table)} images have their NIH patient"] if patients else [UNKNOWN_PATIENTS]
    return Manifest(table, source.path, notes)


def _patients(source: Source) -> dict[str, str]:
    """NIH's patient of each image, from RSNA's mapping: `subset_img_id` is the challenge's, `img_id` NIH's file name,
    which begins with the patient's number.
    """
    file = source.find("*mapping*.json")
    rows = source.json(file) if file else []
    return {
        row["subset_img_id"]: str(int(str(row["img_id"]).split("_")[0])) for row in rows if row.get("subset_img_id")
    }
