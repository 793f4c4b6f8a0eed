"""Every overlay of a published protocol, trained and evaluated on a miniature of its set as `prepare` gives it.

As printed in the docs but for `--epochs 1`, a thin encoder in place of ResNet-50 and small images, which make it quick.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.bundle.datasets.miniature import lay, picture, prepare

RunConfig = Callable[..., Any]
COUNT, SIDE = 40, 64
Files = dict[str, "str | bytes"]


def chexpert() -> Files:
    """Blanks among the labels; frontals and a few laterals."""
    names = (
        "No Finding,Enlarged Cardiomediastinum,Cardiomegaly,Lung Opacity,Lung Lesion,Edema,Consolidation,Pneumonia,"
        "Atelectasis,Pneumothorax,Pleural Effusion,Pleural Other,Fracture,Support Devices"
    )
    tables: Files = {}
    images: Files = {}
    for part, start, count in (("train", 1, COUNT), ("valid", 64541, 8)):
        rows = []
        for place in range(count):
            path = f"CheXpert-v1.0-small/{part}/patient{start + place:05d}/study1/view1_frontal.jpg"
            images[path] = picture(start + place, SIDE, SIDE, ".jpg")
            cells = [("1.0", "0.0", "", "-1.0")[(place + column) % (2 if column < 12 else 4)] for column in range(14)]
            rows.append(f"{path},Male,60,Frontal,AP,{','.join(cells)}")
        tables[f"CheXpert-v1.0-small/{part}.csv"] = "\n".join([f"Path,Sex,Age,Frontal/Lateral,AP/PA,{names}", *rows])
    return {**tables, **images}


def nih() -> Files:
    """Every finding on some images of each part."""
    findings = (
        *("Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Effusion", "Emphysema", "Fibrosis", "Hernia"),
        *("Infiltration", "Mass", "Nodule", "Pleural_Thickening", "Pneumonia", "Pneumothorax"),
    )
    header = (
        "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
        "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y],"
    )
    names = [f"{place + 1:08d}_000.png" for place in range(COUNT)]
    cells = ["|".join(findings) if place % 2 else "No Finding" for place in range(COUNT)]
    rows = [f"{n},{c},0,{i},50,M,PA,9,9,0.1,0.1," for i, (n, c) in enumerate(zip(names, cells, strict=True))]
    images = {f"images_001/images/{name}": picture(place, SIDE, SIDE) for place, name in enumerate(names)}
    lists = {"train_val_list.txt": "\n".join(names[:28]), "test_list.txt": "\n".join(names[28:])}
    return {"Data_Entry_2017_v2020.csv": "\n".join([header, *rows]), **lists, **images}


def rsna() -> Files:
    """Half of the images with a box; pictures under the names of the DICOM files, for content decides."""
    rows = [f"p{i},{10 + i},10,30,30,1" if i % 2 else f"p{i},,,,,0" for i in range(COUNT)]
    images = {f"stage_2_train_images/p{i}.dcm": picture(i, 1024, 1024) for i in range(COUNT)}
    return {"stage_2_train_labels.csv": "\n".join(["patientId,x,y,width,height,Target", *rows]), **images}


def siim() -> Files:
    """Most images with a mask of a few columns."""
    rows = [f"u{i}, 600 20 44 20 44 20" if i % 4 else f"u{i}, -1" for i in range(COUNT)]
    images = {f"dicom-images-train/a/b/u{i}.dcm": picture(i, SIDE, SIDE) for i in range(COUNT)}
    return {"train-rle.csv": "\n".join(["ImageId, EncodedPixels", *rows]), **images}


def object_cxr() -> Files:
    """Half of the images with a rectangle."""
    tables: Files = {}
    images: Files = {}
    for part, count in (("train", COUNT), ("dev", 8)):
        rows = [f"{i}.jpg,{'0 8 8 40 40' if i % 2 else ''}" for i in range(count)]
        tables[f"{part}.csv"] = "\n".join(["image_name,annotation", *rows])
        images |= {f"{part}/{i}.jpg": picture(i + 100 * count, SIDE, SIDE, ".jpg") for i in range(count)}
    return {**tables, **images}


def covidx() -> Files:
    """Three classes in both parts."""
    classes = ("normal", "pneumonia", "COVID-19")
    files: Files = {}
    for part, count in (("train", COUNT), ("test", 9)):
        rows = [f"{part}{i} {part}{i}.png {classes[i % 3]} rsna" for i in range(count)]
        files[f"{part}_COVIDx9A.txt"] = "\n".join(rows)
        files |= {f"{part}/{part}{i}.png": picture(i + 100 * count, SIDE, SIDE) for i in range(count)}
    return files


SETS: dict[str, Callable[[], Files]] = {
    "chexpert": chexpert, "nih": nih, "rsna": rsna, "siim": siim, "object_cxr": object_cxr, "covidx": covidx,
}  # fmt: skip
OVERLAYS = sorted(
    (path.parent.name, path.stem)
    for path in (Path(__file__).resolve().parents[2] / "configs").glob("*/*.json")
    if path.stem in SETS
)


@pytest.fixture
def prepared_set(once: Callable[..., Path], tmp_path: Path) -> Callable[[str], Path]:
    """`prepared_set(name)`: the set's miniature after `prepare`, made once."""

    def give(name: str) -> Path:
        def make(out: Path) -> None:
            source = lay(tmp_path / name, SETS[name]())
            prepare(name.replace("_", "-"), source, out, "--size", str(SIDE))

        return once(f"protocol_{name}", make)

    return give


def test_every_published_overlay_is_here() -> None:
    assert len(OVERLAYS) == 8 and {name for _, name in OVERLAYS} == set(SETS)


@pytest.mark.parametrize(("task", "name"), OVERLAYS)
def test_an_overlay_trains_and_evaluates_on_its_set(
    task: str,
    name: str,
    prepared_set: Callable[[str], Path],
    tmp_path: Path,
    run_config: RunConfig,
    tracking_uri: str,
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(project)
    small = {
        "dataset_dir": str(prepared_set(name)), "encoder": "resnet10", "encoder_options": {"widen_factor": 0.25},
        "encoder_weights": "random", "image_size": SIDE, "epochs": 1, "batch_size": 8, "precision": "float32",
        "num_workers": 0, "tracking_uri": tracking_uri,
    }  # fmt: skip
    files = [f"{task}/train.json", f"{task}/{name}.json"]
    run_config(files, tmp_path, **small)
    del small["encoder_weights"]
    run_config([files[0], f"{task}/evaluate.json", files[1]], tmp_path, **small, output_dir=str(tmp_path / "report"))
    summary = json.loads((tmp_path / "report" / "evaluation.json").read_text())
    assert summary["scored_images"] > 0
    values = [value for value in summary["metrics"].values() if value is not None]
    assert values and np.isfinite(values).all()
    table = pd.read_parquet(tmp_path / "report" / "predictions.parquet")
    assert set(table["split"]) == {"val", "test"}
    data = json.loads((tmp_path / "models" / task / "model.json").read_text())["settings"]["data"]
    assert data[0] == name.replace("_", "-")
