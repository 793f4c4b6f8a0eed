"""TBX11K: boxes of tuberculosis in COCO files; the folder of an image is its class."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

import pandas as pd

from .box_lists import CORNERS, box_lists, from_coco
from .facts import NO_PATIENT, Expected, Facts
from .layout import Manifest
from .official import add_share, keep_official
from .source import Source

FACTS = Facts(
    name="tbx11k",
    title="TBX11K",
    url="https://mmcheng.net/tb",
    licence="non-commercial research (the owner's page)",
    citation="Liu Y et al. Rethinking computer-aided tuberculosis diagnosis. CVPR 2020.",
    size="not stated",
    files=("imgs/{health,sick,tb}/*.png", "annotations/json/TBX11K_train.json, TBX11K_val.json"),
    expected={"train and val": Expected(8_400, None, "the paper: 6,600 and 1,800 of 11,200 images")},
    policy="tb has boxes of active or obsolete (latent) tuberculosis, 30 images both; sick is another illness",
    names=("ActiveTuberculosis", "ObsoletePulmonaryTuberculosis", "sick"),
    known_bad={"tb1199.png": "in folder tb without an annotation (Idiap's mednet)"},
    overlap="some images are those of the Montgomery and Shenzhen sets (torchxrayvision)",
)
CLASSES = {"health", "sick", "tb"}


def add_arguments(parser: ArgumentParser) -> None:
    """`--val-share`: the test part's labels are withheld, so that one is drawn from train."""
    add_share(parser)


def read(args: Namespace) -> Manifest:
    """Manifest of the folder `args.source`."""
    source = Source(args.source, FACTS)
    files = {name: source.require(f"TBX11K_{name}.json") for name in ("train", "val")}
    contents = {name: source.json(file) for name, file in files.items()}
    parts = {image["file_name"]: name for name, content in contents.items() for image in content["images"]}
    boxes = pd.concat([from_coco(content) for content in contents.values()], ignore_index=True)
    ids = pd.Series(list(parts))
    table = pd.DataFrame({"image_id": ids, "patient_id": ids, "study_id": ids})
    table["image"] = source.images((name.split("/")[-1] for name in ids), (".png",))
    kinds = ids.str.split("/").str[-2]
    table["boxes"], table["box_labels"] = box_lists(boxes[["image", "label", *CORNERS]], ids, kinds.isin(CLASSES))
    for name in FACTS.names[:2]:
        table[f"label_{name}"] = [float(name in labels) for labels in table["box_labels"].map(lambda cell: cell or [])]
    table["label_sick"] = (kinds == "sick").astype(float)
    names = ids.str.split("/").str[-1]
    bad = names.map(FACTS.known_bad)
    table["exclude_reason"] = ("known to be unusable: " + bad).fillna("")
    notes = keep_official(table, ids.map(parts), args.val_share, args.seed)
    withheld = sum(path.parent.name == "test" and path.suffix == ".png" for path in source.files)
    notes += [f"{withheld} images of the test part are left out: their labels are withheld"] if withheld else []
    return Manifest(table, source.path, [*notes, NO_PATIENT])
