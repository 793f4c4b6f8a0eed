"""The supervised baseline: known labels alone count."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from scripts.pretraining.supervised import Supervised, SupervisedLoss


def test_known_labels_alone_count() -> None:
    nan = math.nan
    logits = torch.tensor([[0.0, 2.0, 9.0], [-1.0, 9.0, 9.0]], requires_grad=True)
    label = torch.tensor([[1.0, 0.0, -1.0], [1.0, nan, nan]])  # -1 is uncertain
    loss = SupervisedLoss()({"logits": logits}, label)
    by_hand = (math.log(2) + math.log(1 + math.exp(2)) + math.log(1 + math.exp(1))) / 3
    assert loss.item() == pytest.approx(by_hand, rel=1e-6)
    loss.backward()
    assert logits.grad is not None
    assert (logits.grad != 0).tolist() == [[True, True, False], [True, False, False]]


def test_the_output_has_the_features_that_the_geometry_watches() -> None:
    encoder = nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten())
    pred = Supervised(encoder, classes=5, precision="float32")(torch.randn(2, 3, 16, 16))
    assert {key: tuple(value.shape) for key, value in pred.items()} == {"image_features": (2, 12), "logits": (2, 5)}
    assert not hasattr(Supervised, "project_text")
