"""Boxes of inference in the pixels of the original image."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from monai.data import DataLoader
from monai.data.utils import no_collation
from monai.engines import SupervisedEvaluator
from torch import nn

from scripts.errors import CxrError
from scripts.tasks.detection.predictions import BoxWriter

NAMES = ["nodule", "effusion"]
# An image of 40 rows and 80 columns lies at half its scale in the rows 10 to 30 of its square of 40 pixels.
# The last box lies above the image, on the square's black border.
BOXES = torch.tensor([[0.0, 10.0, 20.0, 20.0], [30.0, 15.0, 50.0, 40.0], [1.0, 11.0, 2.0, 12.0], [5.0, 1.0, 15.0, 9.0]])
IMAGE = [[0.0, 0.0, 40.0, 20.0], [60.0, 10.0, 80.0, 40.0], [2.0, 2.0, 4.0, 4.0]]  # the second is clipped
DETECTION = {"box": BOXES, "label": torch.tensor([1, 0, 1, 0]), "score": torch.tensor([0.25, 0.75, 0.125, 0.875])}
NOTHING = {"box": torch.zeros(0, 4), "label": torch.zeros(0, dtype=torch.int64), "score": torch.zeros(0)}


class Same(nn.Module):
    def forward(self, image: torch.Tensor) -> Any:
        return [DETECTION] + [NOTHING] * (len(image) - 1)


def write(
    folder: Path, collate: Any = no_collation, count: int = 2, network: nn.Module | None = None, **options: Any
) -> Any:
    data = [
        {
            "image": torch.rand(3, 40, 40), "image_id": str(i), "height": 40, "width": 80, "error": "",
            "spacing": np.array([0.5, 0.2], np.float32),
        }
        for i in range(count)
    ]  # fmt: skip
    data.append(data[0] | {"image_id": "bad", "image": torch.zeros(3, 40, 40), "error": "truncated", "height": 0})

    def images(batch: Any, device: Any, non_blocking: bool, **_: Any) -> tuple[torch.Tensor, None]:
        found = batch["image"] if isinstance(batch, dict) else torch.stack([item["image"] for item in batch])
        return found, None

    SupervisedEvaluator(
        device=torch.device("cpu"),
        val_data_loader=DataLoader(data, batch_size=3, num_workers=0, **({"collate_fn": collate} if collate else {})),
        network=network or Same(),
        prepare_batch=images,
        val_handlers=[BoxWriter(str(folder), NAMES, **options)],
        decollate=False,
    ).run()
    return json.loads((folder / "predictions.json").read_text())


@pytest.mark.parametrize("collate", [no_collation, None], ids=["list", "dict"])
def test_boxes_are_in_original_pixels_the_most_certain_first(tmp_path: Path, collate: Any) -> None:
    content = write(tmp_path, collate)
    first, second, bad = content["images"]
    assert [box["name"] for box in first["boxes"]] == ["nodule", "effusion", "effusion"]
    assert [box["score"] for box in first["boxes"]] == [0.75, 0.25, 0.125]
    np.testing.assert_allclose([box["xyxy"] for box in first["boxes"]], [IMAGE[1], IMAGE[0], IMAGE[2]])
    assert (first["height"], first["width"], first["spacing_mm"]) == (40, 80, pytest.approx([0.5, 0.2]))
    assert second["boxes"] == []
    assert bad == {"image_id": "bad", "image": None, "error": "truncated"}
    assert content["counts"] == {"images": 3, "predicted": 2, "unreadable": {"truncated": 1}}
    assert content["names"] == NAMES


def test_a_threshold_and_an_overlay(tmp_path: Path) -> None:
    content = write(tmp_path, score_threshold=0.25, overlays=True)
    assert [box["score"] for box in content["images"][0]["boxes"]] == [0.75, 0.25]
    assert content["score_threshold"] == 0.25
    assert sorted(path.name for path in (tmp_path / "overlays").iterdir()) == ["0.png", "1.png"]
    picture: Any = cv2.imread(str(tmp_path / "overlays" / "0.png"))
    assert (np.ptp(picture.astype(int), axis=2) > 60).any()  # coloured lines on grey


def test_what_is_no_detection_is_said(tmp_path: Path) -> None:
    with pytest.raises(CxrError, match="DetectionInferer"):
        write(tmp_path, network=nn.Identity())
    with pytest.raises(CxrError, match="label 1, but there are 1 names"):
        NAMES.pop()
        try:
            write(tmp_path)
        finally:
            NAMES.append("effusion")
