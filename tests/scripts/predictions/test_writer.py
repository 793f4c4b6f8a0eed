"""What inference writes of a classifier, and what all writers share: names, reasons, original sizes, ranks."""

from __future__ import annotations

import csv
import hashlib
import json
import logging
from math import log
from pathlib import Path
from typing import Any

import ignite.distributed as idist
import numpy as np
import pytest
import torch
from monai.data import DataLoader, MetaTensor
from monai.engines import SupervisedEvaluator
from monai.transforms import Compose, EnsureChannelFirstd, EnsureTyped, LoadImaged
from PIL import Image
from torch import nn

from bundle.demo.dicom import write_dx
from scripts.data.picture_reader import PictureReader
from scripts.data.reader import CxrReader
from scripts.data.sampling import StudyDataset
from scripts.data.sources import load_items
from scripts.data.standardize import StandardizeRadiographd
from scripts.errors import CxrError
from scripts.predictions.writer import PredictionWriter
from scripts.tasks.classification.predictions import ScoreWriter
from scripts.tasks.probabilities import Probabilitiesd

NAMES = ["opacity", "effusion"]
ODDS = torch.tensor([log(3.0), -log(4.0)])  # probabilities .75 and .2


class Constant(nn.Module):
    """Gives the same logits for each image."""

    def __init__(self, logits: torch.Tensor) -> None:
        super().__init__()
        self.logits = logits

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.logits.expand(len(image), *self.logits.shape).clone()


def evaluate(
    data: Any, network: nn.Module, *writers: PredictionWriter, decollate: bool = False, **options: Any
) -> None:
    SupervisedEvaluator(
        device=torch.device("cpu"),
        val_data_loader=DataLoader(data, batch_size=2, num_workers=0),
        network=network,
        prepare_batch=lambda batch, device, non_blocking, **_: (batch["image"], None),
        val_handlers=list(writers),
        decollate=decollate,
        **options,
    ).run()


def raw(folder: Path, track_meta: bool = False) -> StudyDataset:
    """A DICOM file of 80 x 40 pixels, a picture of 30 x 60, and a file that is neither, on the road of inference."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    write_dx(folder / "a.dcm", rng.integers(0, 4095, (80, 40)).astype(np.uint16), spacing=(0.5, 0.2), uid_seed="1")
    (folder / "b.dcm").write_bytes(b"Dear colleague")
    Image.fromarray(rng.integers(0, 255, (30, 60)).astype(np.uint8)).save(folder / "c.png")
    steps = [
        LoadImaged("image", reader=[PictureReader(), CxrReader()]),
        EnsureChannelFirstd("image"),
        StandardizeRadiographd("image", size=40),
        EnsureTyped("image", track_meta=track_meta),
    ]
    items = load_items(folder, text=False)
    return StudyDataset(items, Compose(steps), unreadable="report", shape=(1, 40, 40))


def read(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "predictions.json").read_text())
    return content


@pytest.mark.parametrize("decollate", [False, True])
def test_probabilities_decisions_and_reasons_of_raw_files(
    tmp_path: Path, decollate: bool, caplog: pytest.LogCaptureFixture
) -> None:
    weights = tmp_path / "model.pt"
    weights.write_bytes(b"weights")
    out = tmp_path / "out"
    writer = ScoreWriter(
        str(out), NAMES, thresholds={"effusion": 0.2, "opacity": 0.8}, checkpoint=weights, identity={"encoder": "r"}
    )
    with caplog.at_level(logging.INFO):
        evaluate(raw(tmp_path / "in"), Constant(ODDS), writer, decollate=decollate)
    content = read(out)
    assert content["model"] == {
        "encoder": "r", "checkpoint": "model.pt", "sha256": hashlib.sha256(b"weights").hexdigest()
    }  # fmt: skip
    assert content["thresholds"] == {"opacity": 0.8, "effusion": 0.2}
    reason = content["images"][1]["error"]
    assert "not an image" in reason
    assert content["counts"] == {"images": 3, "predicted": 2, "unreadable": {reason: 1}}
    assert [row["image"] for row in content["images"]] == ["a.dcm", "b.dcm", "c.png"]
    for row in (content["images"][0], content["images"][2]):
        assert row["probabilities"] == pytest.approx({"opacity": 0.75, "effusion": 0.2})
        assert row["decisions"]["opacity"] is False
        assert row["error"] is None
    assert content["images"][1].keys() == {"image_id", "image", "error"}
    with (out / "predictions.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert [row["image"] for row in table] == ["a.dcm", "b.dcm", "c.png"]
    assert float(table[0]["opacity"]) == pytest.approx(0.75)
    assert [row["opacity_decision"] for row in table] == ["0", "", "0"]
    assert table[1]["opacity"] == "" and table[1]["error"] == reason
    assert "2 predictions in" in caplog.text
    assert f"1 images without prediction: {reason}" in caplog.text
    # MONAI's own LoadImage, which logs names, is silenced by logging.conf.
    own = " ".join(record.getMessage() for record in caplog.records if record.name.startswith("scripts"))
    assert not any(name in own for name in ("a.dcm", "b.dcm", "c.png"))


@pytest.mark.parametrize("after", ["writer", "transform"])
def test_temperature_is_applied_once_wherever(tmp_path: Path, after: str) -> None:
    data = [{"image": torch.zeros(1, 4, 4), "image_id": name} for name in "abc"]
    if after == "writer":
        evaluate(data, Constant(ODDS), ScoreWriter(str(tmp_path), NAMES, temperature={"opacity": 2, "effusion": 1.0}))
    else:
        step = Compose([Probabilitiesd("pred", temperature=[2.0, 1.0])])
        writer = ScoreWriter(str(tmp_path), NAMES, logits=False)
        evaluate(data, Constant(ODDS), writer, decollate=True, postprocessing=step)
    for row in read(tmp_path)["images"]:
        assert row["probabilities"] == pytest.approx({"opacity": 3**0.5 / (1 + 3**0.5), "effusion": 0.2})


def test_classes_that_exclude_each_other(tmp_path: Path) -> None:
    data = [{"image": torch.zeros(1, 4, 4), "image_id": "a"}]
    evaluate(data, Constant(ODDS), ScoreWriter(str(tmp_path), NAMES, mode="multiclass"))
    (row,) = read(tmp_path)["images"]
    assert row["probabilities"] == pytest.approx({"opacity": 3 / 3.25, "effusion": 0.25 / 3.25})
    assert row["class"] == "opacity"
    with (tmp_path / "predictions.csv").open(newline="") as file:
        assert next(csv.DictReader(file))["class"] == "opacity"
    with pytest.raises(CxrError, match="the likeliest is taken"):
        ScoreWriter(str(tmp_path), NAMES, mode="multiclass", thresholds=0.5)


def test_names_that_identify_patients_can_be_left_out(tmp_path: Path) -> None:
    found = []
    for number in range(2):
        out = tmp_path / str(number)
        data = [{"image": torch.zeros(1, 4, 4), "source": f"Doe^Jane/{i}.dcm"} for i in range(3)]
        evaluate(data, Constant(ODDS), ScoreWriter(str(out), NAMES, file_names=False))
        assert "Doe" not in (out / "predictions.json").read_text() + (out / "predictions.csv").read_text()
        found += [row["image_id"] for row in read(out)["images"]]
    assert len(set(found)) == 6
    plain = {hashlib.blake2b(f"Doe^Jane/{i}.dcm".encode(), digest_size=16).hexdigest() for i in range(3)}
    assert not set(found) & plain


@pytest.mark.parametrize(
    ("image_id", "kept"),
    [("A-17", True), ("Doe^Jane/0.dcm", False), ("doe^jane", False), ("CXR_Doe^Jane_0", False), ("", False)],
)
def test_an_id_of_ones_own_is_kept_unless_it_tells_the_name(tmp_path: Path, image_id: str, kept: bool) -> None:
    data = [{"image": torch.zeros(1, 4, 4), "image_id": image_id, "source": "Doe^Jane/Doe^Jane_0.dcm"}]
    evaluate(data, Constant(ODDS), ScoreWriter(str(tmp_path), NAMES, file_names=False))
    (row,) = read(tmp_path)["images"]
    assert row["image"] is None
    assert (row["image_id"] == image_id) == kept
    assert "doe" not in (tmp_path / "predictions.json").read_text().lower()


@pytest.mark.parametrize("decollate", [False, True])
@pytest.mark.parametrize("road", ["item", "meta"])
def test_size_and_spacing_come_from_the_item_or_the_meta(tmp_path: Path, road: str, decollate: bool) -> None:
    seen: list[Any] = []

    class Spy(ScoreWriter):
        def describe(self, image_id: str, output: Any, original: Any) -> dict[str, Any]:
            seen.append((original.height, original.width, original.spacing, original.content().shape))
            return super().describe(image_id, output, original)

    sizes, spacings = [(80, 40), (30, 60), (9, 9)], [(0.5, 0.25), (float("nan"),) * 2, (0.0, 1.0)]
    data = []
    for i, (size, spacing) in enumerate(zip(sizes, spacings, strict=True)):
        image, values = torch.zeros(1, 40, 40), np.array(spacing, np.float32)
        if road == "item":
            data.append({"image": image, "image_id": str(i), "height": size[0], "width": size[1], "spacing": values})
        else:
            meta = {"original_size": np.array(size), "spacing": values}
            data.append({"image": MetaTensor(image, meta=meta), "image_id": str(i)})
    evaluate(data, Constant(ODDS), Spy(str(tmp_path), NAMES), decollate=decollate)
    assert seen == [(80, 40, (0.5, 0.25), (40, 20)), (30, 60, None, (20, 40)), (9, 9, None, (40, 40))]


def test_what_cannot_be_right_is_said(tmp_path: Path) -> None:
    data = [{"image": torch.zeros(1, 4, 4), "image_id": name} for name in "ab"]
    with pytest.raises(CxrError, match=r"one number a finding .* for 3 names, got \(2, 2\)"):
        evaluate(data, Constant(ODDS), ScoreWriter(str(tmp_path), [*NAMES, "nodule"]))
    with pytest.raises(CxrError, match="thresholds has no value for effusion"):
        ScoreWriter(str(tmp_path), NAMES, thresholds={"opacity": 0.5})
    with pytest.raises(CxrError, match="temperature has 3 values for 2 names"):
        ScoreWriter(str(tmp_path), NAMES, temperature=[1, 2, 3])
    with pytest.raises(CxrError, match="cannot be told apart"):
        evaluate([{"image": torch.zeros(1, 4, 4)}], Constant(ODDS), ScoreWriter(str(tmp_path), NAMES))
    with pytest.raises(CxrError, match="None of the 2 images"):
        evaluate(data, Constant(ODDS * float("nan")), ScoreWriter(str(tmp_path), NAMES))
    assert [row["error"] for row in read(tmp_path)["images"]] == ["the network's output is not finite"] * 2


def test_the_ranks_are_gathered_and_repeats_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = ScoreWriter(str(tmp_path), NAMES)
    row = {"image": None, "probabilities": {"opacity": 0.5, "effusion": 0.5}, "error": None}
    writer.rows = [{"image_id": "a", **row}, {"image_id": "b", **row}]
    other = [{"image_id": "c", **row}, {"image_id": "a", **row}]
    monkeypatch.setattr(idist, "get_world_size", lambda: 2)
    monkeypatch.setattr(idist, "all_gather", lambda rows: [rows, other])
    writer.finish(None)  # type: ignore[arg-type]
    assert [one["image_id"] for one in read(tmp_path)["images"]] == ["a", "b", "c"]
    monkeypatch.setattr(idist, "get_rank", lambda: 1)
    (tmp_path / "predictions.json").unlink()
    writer.finish(None)  # type: ignore[arg-type]
    assert not (tmp_path / "predictions.json").exists()
