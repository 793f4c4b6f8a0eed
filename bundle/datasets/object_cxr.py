"""Object-CXR: foreign objects as rectangles, ellipses and polygons of any length, in one cell an image."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

import pandas as pd

from scripts.errors import CxrError

from .box_lists import CORNERS, around_polygon, box_lists
from .facts import NO_PATIENT, Expected, Facts
from .layout import Manifest
from .official import add_share, keep_official
from .source import Source

FACTS = Facts(
    name="object-cxr",
    title="Object-CXR",
    url="https://jfhealthcare.github.io/object-CXR",
    licence="non-commercial (the challenge's page)",
    citation="JF Healthcare. Object-CXR: automatic detection of foreign objects on chest X-rays. MIDL 2020.",
    size="not stated",
    files=("train.csv", "dev.csv", "train.zip or train/", "dev.zip or dev/"),
    expected={"train and dev": Expected(9_000, None, "the challenge's page: 8,000 and 1,000")},
    policy="drawn by radiologists; an empty cell = looked at, no object",
    names=("foreign_object",),
)
NAME = FACTS.names[0]


def add_arguments(parser: ArgumentParser) -> None:
    """`--val-share`: `dev` is the test part, as in published protocols."""
    add_share(parser)


def read(args: Namespace) -> Manifest:
    """Manifest of the folder `args.source`."""
    source = Source(args.source, FACTS)
    parts = [_part(source, name, split) for name, split in (("train", "train"), ("dev", "test"))]
    table = pd.concat([part for part, _ in parts], ignore_index=True)
    boxes = pd.concat([found for _, found in parts], ignore_index=True)
    table["boxes"], table["box_labels"] = box_lists(boxes, table["image_id"], [True] * len(table))
    table[f"label_{NAME}"] = table["boxes"].map(bool).astype(float)
    notes = keep_official(table, table.pop("part"), args.val_share, args.seed)
    return Manifest(table, source.path, [*notes, NO_PATIENT])


def _part(source: Source, name: str, split: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    raw = source.table(f"{name}.csv")
    images = raw["image_name" if "image_name" in raw else "image_path"].str.strip().str.split("/").str[-1]
    ids = f"{name}/" + images  # the parts may number their images alike
    table = pd.DataFrame({"image_id": ids, "patient_id": ids, "study_id": ids, "part": split})
    table["image"] = source.images(images, under=name)
    rows = [
        (image, NAME, *_box(shape, f"{name}.csv row {row}"))
        for row, (image, cell) in enumerate(zip(ids, raw["annotation"].fillna("")))
        for shape in cell.split(";")
        if shape.strip()
    ]
    return table, pd.DataFrame(rows, columns=["image", "label", *CORNERS])


def _box(shape: str, where: str) -> list[float]:
    """The box around `type x y x y …`."""
    try:
        return around_polygon([float(number) for number in shape.split()[1:]])
    except ValueError as error:
        raise CxrError(f"{where}: an annotation is `type x1 y1 x2 y2 …`, several parted by `;`.") from error
