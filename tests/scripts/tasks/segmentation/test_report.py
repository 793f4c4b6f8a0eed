"""The segmentation report: scores and millimetres by hand, the empty mask beside them, pictures of the cases."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from ignite.engine import Engine
from torch import nn

from scripts.errors import CxrError
from scripts.tasks.segmentation.dice import Counts
from scripts.tasks.segmentation.report import SegmentationReport, case_order, input_spacing

SIZE, NAMES = 32, ["lungs", "heart"]


class FirstChannels(nn.Module):
    """Stands for a network: two of the image's channels are the logits."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return image[:, :2]


def square(row: int, column: int, side: int) -> torch.Tensor:
    mask = torch.zeros(SIZE, SIZE)
    mask[row : row + side, column : column + side] = 1
    return mask


def case(number: int, predicted: list[torch.Tensor], true: list[torch.Tensor], **facts: Any) -> dict[str, Any]:
    image = torch.stack([*(mask * 2 - 1 for mask in predicted), torch.zeros(SIZE, SIZE)])
    return {
        "image": image,
        "label": torch.stack(true),
        "image_id": f"i{number}",
        "patient_id": f"patient-{number // 2}",
        "split": "test",
        "height": 64,
        "width": 64,
        "spacing": np.array([0.5, 0.5], np.float32),
        **facts,
    }


NOTHING, UNKNOWN = torch.zeros(SIZE, SIZE), torch.full((SIZE, SIZE), -1.0)


def cases() -> list[dict[str, Any]]:
    """Lungs: right, half of it, missed, rightly empty, wrongly there, unknown. Heart: always found, or unknown."""
    heart = square(20, 20, 4)
    return [
        case(0, [square(4, 4, 8), heart], [square(4, 4, 8), heart]),
        case(1, [square(4, 4, 8), heart], [square(4, 4, 8) + square(4, 12, 8), heart]),
        case(2, [NOTHING, heart], [square(4, 4, 8), heart]),
        case(3, [NOTHING, heart], [NOTHING, heart]),
        case(4, [square(0, 0, 3), heart], [NOTHING, UNKNOWN]),
        case(5, [square(0, 0, 3), heart], [UNKNOWN, heart], spacing=np.full(2, np.nan, np.float32)),
    ]


class Cases:
    """Stands for the StudyDataset of a pass."""

    def __init__(self, data: list[dict[str, Any]]) -> None:
        self.data = data

    def read(self, index: int) -> dict[str, Any]:
        return self.data[index]


class Numbers(SegmentationReport):
    """The report without its pictures, which take seconds."""

    def draw(self, *_: Any) -> None:
        """Draws nothing."""


def report(
    folder: Path, data: list[dict[str, Any]], kind: type[SegmentationReport] = Numbers, **settings: Any
) -> tuple[dict[str, Any], Engine]:
    network = FirstChannels()

    def step(engine: Engine, part: list[dict[str, Any]]) -> dict[str, Any]:
        arrays = ("image", "label", "spacing")
        engine.state.batch = {
            key: torch.stack([torch.as_tensor(item[key]) for item in part])
            if key in arrays
            else [item[key] for item in part]
            for key in part[0]
        }
        return {"pred": network(engine.state.batch["image"]), "label": engine.state.batch["label"]}

    engine = Engine(step)
    kind(folder, **{"names": NAMES, "network": network, "dataset": Cases(data), "resamples": 50, **settings}).attach(
        engine
    )
    engine.run([data[i : i + 4] for i in range(0, len(data), 4)])
    return json.loads((folder / "evaluation.json").read_text()), engine


def score(result: dict[str, Any], start: str) -> dict[str, Any]:
    found = [row for row in result["scores"] if row["score"].startswith(start)]
    assert len(found) == 1, [row["score"] for row in result["scores"]]
    return found[0]


def test_the_four_numbers_stand_side_by_side(tmp_path: Path) -> None:
    result, engine = report(tmp_path, cases())
    metrics = engine.state.metrics
    # The second prediction is the left half of its lungs: 2 · 64 / (64 + 128).
    lungs = {
        "dice_positives_lungs": (1 + 2 / 3 + 0) / 3,
        "dice_per_image_lungs": (1 + 2 / 3 + 0 + 1 + 0) / 5,
        "dice_all_empty_lungs": 2 / 5,
        "dice_set_lungs": 2 * (64 + 64) / (64 + 64 + 9 + 64 + 128 + 64),
    }
    assert {key: metrics[key] for key in lungs} == pytest.approx(lungs)
    assert metrics["dice_positives"] == pytest.approx((lungs["dice_positives_lungs"] + 1) / 2)
    per_image = score(result, "Dice per image, a right empty mask counting 1: lungs")
    assert per_image["trivial"] == pytest.approx(0.4)
    assert per_image["lo"] <= per_image["value"] <= per_image["hi"]
    assert score(result, "Dice over positives: lungs (3 of 5 images)")["trivial"] == 0
    assert score(result, "Dice over positives: macro (8 of 10 masks)")["value"] == pytest.approx(
        metrics["dice_positives"]
    )
    assert any("2 of 5 images have no true mask" in note and "0.400" in note for note in result["notes"])
    assert not any("published" in row["score"] for row in result["scores"])


def test_millimetres_come_from_the_original_spacing_and_the_letterbox(tmp_path: Path) -> None:
    """64 x 64 pixels of 0.5 mm became 32 x 32, of 1 mm: the missing half of the lungs is 8 px, 8 mm away."""
    result, engine = report(tmp_path, cases())
    # 95th percentile of the distances of the true edge to the predicted one: most of the far side is 8 away.
    row = score(result, "HD95 in mm: lungs (2 images)")
    assert row["value"] == pytest.approx((0 + 8) / 2)
    assert engine.state.metrics["hd95_lungs"] == pytest.approx(row["value"])
    pixels = score(result, "HD95 in pixels of the 32 px input, spacing unknown: heart (1 images)")
    assert pixels["value"] == 0
    assert any("lungs: HD95 is not defined in 2 images" in note for note in result["notes"])
    table = pd.read_parquet(tmp_path / "predictions.parquet")
    assert table["hd95_lungs"].notna().tolist() == [True, True, False, False, False, False]
    assert table[["tp_lungs", "pred_lungs", "true_lungs"]].iloc[1].tolist() == [64, 64, 128]
    assert table["true_lungs"].isna().tolist() == [False] * 5 + [True]
    assert "patient_id" not in table


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [(64, 64, (1.0, 1.0)), (128, 64, (2.0, 2.0)), (0, 0, (np.nan, np.nan)), (100, 33, (50 / 32, 16.5 / 11))],
    ids=["square", "tall", "unknown", "rounded to whole pixels"],
)
def test_spacing_of_the_network_s_input(height: int, width: int, expected: tuple[float, float]) -> None:
    np.testing.assert_allclose(input_spacing(SIZE, (0.5, 0.5), height, width), expected)


def test_the_published_variant_is_a_row_of_its_own(tmp_path: Path) -> None:
    result, _ = report(tmp_path, cases(), protocol="published")
    row = score(result, "Dice per image, mean of batch means (published): lungs")
    assert row["value"] == pytest.approx(np.mean([np.mean([1, 2 / 3, 0, 1]), 0]))  # batches of 4 and 2
    assert row["trivial"] == pytest.approx(0.4)
    assert row["lo"] is None or np.isnan(row["lo"])


def test_a_prediction_no_better_than_an_empty_mask_is_said_to_be_so(tmp_path: Path) -> None:
    data = [case(i, [NOTHING, NOTHING], [square(4, 4, 8) * (i == 0), NOTHING]) for i in range(4)]
    result, engine = report(tmp_path, data)
    row = score(result, "Dice per image, a right empty mask counting 1: lungs")
    assert row["value"] == row["trivial"] == 0.75
    assert row["note"] == "not above an empty mask"
    heart = score(result, "Dice over positives: heart")
    assert heart["value"] is None
    assert heart["note"] == "no true mask in 4 images"
    assert "dice_positives_heart" not in engine.state.metrics
    assert not any(row["score"].startswith("HD95") for row in result["scores"])


def test_a_single_patient_is_scored_without_an_interval(tmp_path: Path) -> None:
    result, _ = report(tmp_path, cases()[:2])
    row = score(result, "Dice over positives: lungs")
    assert row["value"] == pytest.approx((1 + 2 / 3) / 2)
    assert row["lo"] is None


def test_only_the_test_images_are_scored(tmp_path: Path) -> None:
    data = [*cases(), case(6, [NOTHING, NOTHING], [square(4, 4, 8), square(0, 0, 4)], split="val")]
    result, engine = report(tmp_path, data)
    assert result["scored_images"] == 6
    assert engine.state.metrics["dice_positives_heart"] == 1


def test_worst_and_best_cases_and_false_positives_are_drawn(tmp_path: Path) -> None:
    report(tmp_path, cases(), SegmentationReport, cases=2)
    found = {path.stem for path in (tmp_path / "pictures").glob("*.png")}
    assert found == {"worst_cases", "best_cases", "false_positives", "dice_by_size"}
    page = (tmp_path / "report.html").read_text()
    assert "Worst cases" in page
    assert "patient-0" not in page


def test_the_cases_are_ordered_by_what_they_show() -> None:
    """Four images of two masks: Dice 1/2 and 1, unknown and 0, none true and 9 px of each predicted, 1 and 3 px."""
    nan = np.nan
    first = Counts(np.array([1.0, nan, 0, 0]), np.array([2.0, nan, 9, 3]), np.array([2.0, nan, 0, 0]))
    second = Counts(np.array([4.0, 0, 0, 4]), np.array([4.0, 0, 9, 4]), np.array([4.0, 5, 0, 4]))
    dice, false = case_order([first, second], pd.Index([10, 11, 12, 13]))
    assert dice.to_dict() == {11: 0, 10: 0.75, 13: 1}
    assert list(dice.index) == [11, 10, 13]
    assert list(false.items()) == [(12, 18), (13, 3)]


def test_a_network_of_other_masks_is_told(tmp_path: Path) -> None:
    data = [{**item, "label": item["label"][:1]} for item in cases()]
    with pytest.raises(CxrError, match="check names"):
        report(tmp_path, data)
