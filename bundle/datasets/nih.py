"""NIH ChestX-ray14: the images in twelve folders or archives, findings joined by bars, boxes of 880 images."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

import pandas as pd

from scripts.data.cells import read_ages

from .box_lists import box_lists, from_xywh
from .facts import Expected, Facts
from .label_lists import one_hot, split_lists
from .layout import Manifest
from .official import add_share, keep_official
from .source import Source

FACTS = Facts(
    name="nih",
    title="NIH ChestX-ray14",
    url="https://nihcc.app.box.com/v/ChestXray-NIHCC",
    licence="free to use, with attribution to the NIH Clinical Center and the paper",
    citation="Wang X et al. ChestX-ray8: Hospital-scale chest X-ray database and benchmarks. CVPR 2017.",
    size="42 GB",
    files=(
        *("Data_Entry_2017_v2020.csv", "images_001 … images_012 (.tar.gz or unpacked)"),
        *("[train_val_list.txt, test_list.txt]", "[BBox_List_2017.csv]"),
    ),
    expected={"v2020": Expected(112_120, 30_805, "the owner's README")},
    policy="read from reports by a program; a finding that is not named is absent",
    names=(
        *("Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Effusion", "Emphysema", "Fibrosis", "Hernia"),
        *("Infiltration", "Mass", "Nodule", "Pleural_Thickening", "Pneumonia", "Pneumothorax"),
    ),
)
NONE = "No Finding"
SPELLINGS = {"Infiltrate": "Infiltration"}  # in the boxes' file alone


def add_arguments(parser: ArgumentParser) -> None:
    """`--val-share`: the official lists have train_val and test alone."""
    add_share(parser)


def read(args: Namespace) -> Manifest:
    """Manifest of the folder `args.source`."""
    source = Source(args.source, FACTS)
    raw = source.table("Data_Entry_2017*.csv", "Data_Entry_2017*.csv.gz")
    names = raw["Image Index"].str.strip()
    ages, notes = read_ages(raw["Patient Age"])
    table = pd.DataFrame(
        {
            "image": source.images(names, (".png",)),
            "image_id": names,
            "patient_id": raw["Patient ID"].str.strip(),
            "study_id": names,
            "view": raw["View Position"],
            "sex": raw["Patient Sex" if "Patient Sex" in raw else "Patient Gender"],  # one file name, two releases
            "age": ages,
        }
    )
    found = split_lists(raw["Finding Labels"], "|")
    table = table.join(one_hot(found, FACTS.names, table.index))
    if (train := source.find("train_val_list.txt")) and (test := source.find("test_list.txt")):
        parts = dict.fromkeys(_lines(source, train), "train") | dict.fromkeys(_lines(source, test), "test")
        notes += keep_official(table, names.map(parts), args.val_share, args.seed)
    if file := source.find("BBox_List_2017*.csv", "BBox_List_2017*.csv.gz"):
        boxes = _boxes(source.read_table(file))
        table["boxes"], table["box_labels"] = box_lists(boxes, names, [NONE in some for some in found])
    return Manifest(table, source.path, notes)


def _lines(source: Source, path: object) -> list[str]:
    return (source.text(str(path)) or "").split()


def _boxes(raw: pd.DataFrame) -> pd.DataFrame:
    """Its header `Bbox [x,y,w,h],,,` is parted by its own commas; pixels of the 1024 × 1024 images, not of the size
    that the table of images gives.
    """
    corners = from_xywh(*(pd.to_numeric(raw.iloc[:, place]) for place in range(2, 6)))
    return corners.assign(image=raw["Image Index"].str.strip(), label=raw["Finding Label"].replace(SPELLINGS))
