"""The sigmoid loss: the paper's pseudo-code, values by hand, masked pairs."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from scripts.pretraining.siglip import SigLip, SigLipLoss


def pairs(count: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    image, text = (torch.randn(count, 4, generator=generator, dtype=torch.float64) for _ in range(2))
    return {
        "image_projection": image,
        "text_projection": text,
        "scale": torch.tensor(2.0, dtype=torch.float64),
        "bias": torch.tensor(-1.0, dtype=torch.float64),
    }


def published(pred: dict[str, torch.Tensor], counted: np.ndarray) -> float:
    """Algorithm 1 of the paper in numpy; `counted` says which pairs are there."""
    image, text = (pred[f"{side}_projection"].numpy() for side in ("image", "text"))
    image, text = (side / np.linalg.norm(side, axis=1, keepdims=True) for side in (image, text))
    logits = image @ text.T * 2.0 - 1.0
    labels = 2 * np.eye(len(image)) - 1
    return float((np.logaddexp(0, -labels * logits) * counted).sum() / len(image))


def test_the_value_is_the_papers() -> None:
    pred = pairs(7)
    assert SigLipLoss()(pred).item() == pytest.approx(published(pred, np.ones((7, 7))), rel=1e-12)


def test_pairs_of_one_report_or_one_study_are_left_out() -> None:
    pred = pairs(4)
    target = torch.tensor([[1, 10], [2, 20], [1, 30], [4, 20]])
    counted = np.ones((4, 4))
    counted[[0, 2, 1, 3], [2, 0, 3, 1]] = 0
    assert SigLipLoss()(pred, target).item() == pytest.approx(published(pred, counted), rel=1e-12)


def test_one_pair_by_hand() -> None:
    pred = {
        "image_projection": torch.tensor([[3.0, 0.0]]),
        "text_projection": torch.tensor([[0.5, 0.0]]),
        "scale": torch.tensor(10.0),
        "bias": torch.tensor(-10.0),
    }
    loss = SigLipLoss()
    assert loss(pred).item() == pytest.approx(math.log(2), rel=1e-6)
    assert loss.terms["negatives"].item() == 0


def test_scale_and_bias_start_where_the_paper_starts_them_and_learn() -> None:
    network = SigLip(nn.Identity(), text_dim=5, image_dim=4, precision="float32")
    pred = network(torch.randn(3, 4), torch.randn(3, 5))
    assert (pred["scale"].item(), pred["bias"].item()) == (pytest.approx(10, rel=1e-6), -10)
    SigLipLoss()(pred).backward()
    assert network.log_scale.grad is not None and network.log_scale.grad != 0
    assert network.bias.grad is not None and network.bias.grad < 0  # one pair in three is a pair: up from -10
