"""The segmentation metric inside MONAI's evaluator."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from monai.data import DataLoader, Dataset
from monai.engines import SupervisedEvaluator
from torch import nn

from scripts.errors import CxrError
from scripts.statistics.draws import Draws
from scripts.tasks.segmentation.dice import Counts, mask_counts, weighted_dice
from scripts.tasks.segmentation.metric import SegmentationScores


def items(n: int = 10) -> list[dict[str, Any]]:
    """The network is the identity: an image is its own logits."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(n, 2, 8, 8, generator=generator)
    masks = (torch.rand(n, 2, 8, 8, generator=generator) > 0.5).float()
    masks[:4, 0], masks[5, 1] = 0, -1
    return [{"image": logits[i], "label": masks[i], "image_id": str(i)} for i in range(n)]


def evaluator(data: list[dict[str, Any]], decollate: bool = False, **settings: Any) -> SupervisedEvaluator:
    return SupervisedEvaluator(
        device=torch.device("cpu"),
        val_data_loader=DataLoader(Dataset(data), batch_size=4, num_workers=0),
        network=nn.Identity(),
        key_val_metric={"dice": SegmentationScores(**{"names": ["lungs", "heart"], **settings})},
        decollate=decollate,
    )


@pytest.mark.parametrize("decollate", [False, True])
@pytest.mark.parametrize("repeats", [0, 3])
def test_scores_are_those_of_the_functions_over_the_whole_epoch(decollate: bool, repeats: int) -> None:
    data = items()
    engine = evaluator(data + data[:repeats], decollate)
    engine.run()
    found = engine.state.metrics
    counts = mask_counts(torch.stack([item["image"] for item in data]), torch.stack([item["label"] for item in data]))
    own = [
        {
            kind: float(value[0])
            for kind, value in weighted_dice(Counts(*counts[:, k].T.numpy()), Draws.once(10)).items()
        }
        for k in (0, 1)
    ]
    for kind, value in own[0].items():
        assert found[f"{kind}_lungs"] == pytest.approx(value)
        assert found[kind] == pytest.approx((value + own[1][kind]) / 2)
    assert found["dice_all_empty_lungs"] == 0.4
    assert found["dice"] == engine.state.best_metric == found["dice_positives"]
    assert all(isinstance(value, float) for value in found.values())


def test_a_mask_without_a_positive_image_is_left_out_of_the_macro() -> None:
    data = items()
    for item in data:
        item["label"][1] = 0
    engine = evaluator(data)
    engine.run()
    assert engine.state.metrics["dice_positives"] == engine.state.metrics["dice_positives_lungs"]
    assert "dice_positives_heart" not in engine.state.metrics
    assert engine.state.metrics["dice_all_empty_heart"] == 1


def test_a_main_score_that_there_is_not_is_told() -> None:
    data = items()
    for item in data:
        item["label"] = item["label"] * 0
    with pytest.raises(CxrError, match="dice_positives cannot be scored: no image of this set has a mask of lungs"):
        evaluator(data).run()
    engine = evaluator(data, main="dice_per_image")
    engine.run()
    assert engine.state.metrics["dice"] == engine.state.metrics["dice_per_image"]


def test_names_must_fit_the_network() -> None:
    with pytest.raises(CxrError, match="gives 2 masks for the 1 names"):
        evaluator(items(), names=["lungs"]).run()
