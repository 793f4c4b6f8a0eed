"""M-FLAG's module and loss: parameter counts, hand-computed values, precision."""

from __future__ import annotations

import math

import pytest
import torch
from monai.networks.nets import resnet18, resnet50
from torch import nn

from scripts.encoders.factory import RESNET
from scripts.precision import autocast_enabled
from scripts.pretraining.mflag import MFlag, MFlagLoss, alignment_loss, feature_dim


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)


@pytest.mark.parametrize(("text_dim", "expected"), [(768, 33_483_840), (384, 32_697_408)])
def test_trained_parameters_are_those_of_the_paper_code(text_dim: int, expected: int) -> None:
    encoder = resnet50(**RESNET)
    assert count(encoder) == 23_508_032
    assert count(MFlag(encoder, text_dim=text_dim)) == expected


def test_forward_gives_float32_of_the_declared_shapes() -> None:
    network = MFlag(resnet18(**RESNET), text_dim=384, precision="bfloat16")
    pred = network(torch.randn(4, 3, 64, 64), torch.randn(4, 384))
    assert {key: tuple(value.shape) for key, value in pred.items()} == {
        "image_features": (4, 512),
        "image_projection": (4, 1024),
        "text_projection": (4, 1024),
    }
    assert all(value.dtype == torch.float32 for value in pred.values())


def test_feature_dim_leaves_the_encoder_as_it_was() -> None:
    encoder = resnet18(**RESNET).train()
    before = {key: value.clone() for key, value in encoder.state_dict().items()}
    assert feature_dim(encoder) == 512
    assert encoder.training
    assert all(torch.equal(value, before[key]) for key, value in encoder.state_dict().items())


@pytest.mark.parametrize(
    ("image", "text", "expected"),
    [
        ([[1.0, 0.0]], [[5.0, 0.0]], 0.0),  # the same direction
        ([[1.0, 0.0]], [[0.0, 2.0]], 4.0),  # a right angle
        ([[1.0, 0.0]], [[-3.0, 0.0]], 8.0),  # opposite
        ([[1.0, 0.0], [1.0, 0.0]], [[1.0, 1.0], [0.0, 1.0]], (4 - 4 / math.sqrt(2) + 4) / 2),
    ],
)
def test_alignment_by_hand(image: list[list[float]], text: list[list[float]], expected: float) -> None:
    assert alignment_loss(torch.tensor(image), torch.tensor(text)).item() == pytest.approx(expected, abs=1e-6)


def test_loss_adds_its_terms_with_the_weight_and_looks_where_it_is_told() -> None:
    pred = {
        "image_features": torch.tensor([[2.0, 1.0]]),  # raw term, by hand: 1/2 (9 + 8 lambda)
        "image_projection": torch.tensor([[1.0, 0.0]]),  # raw term, by hand: 1/2 (0 + 1) = 1/2
        "text_projection": torch.tensor([[0.0, 1.0]]),  # alignment 4
    }
    raw = 0.5 * (9 + 8 * 0.0051)
    on_features = MFlagLoss(where="features", normalize="none", weight=1.0)
    assert on_features(pred).item() == pytest.approx(4 + raw, rel=1e-6)
    on_projections = MFlagLoss(where="projections", normalize="none", weight=0.5)
    assert on_projections(pred).item() == pytest.approx(4 + 0.5 * 0.5, rel=1e-6)
    assert {key: value.item() for key, value in on_projections.terms.items()} == {
        "alignment": pytest.approx(4.0),
        "orthogonality": pytest.approx(0.5),
    }
    with pytest.raises(ValueError, match="projections"):
        MFlagLoss(where="features_")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        ({"avx512_bf16": True}, True),
        ({"amx_bf16": True}, True),
        ({"avx512_bf16": False, "avx2": True}, False),
        ({}, False),
    ],
)
def test_auto_precision_asks_the_processor(monkeypatch: pytest.MonkeyPatch, capabilities: dict, expected: bool) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert autocast_enabled("auto", torch.device("cpu")) is expected
    assert autocast_enabled("bfloat16", torch.device("cpu"))
    assert not autocast_enabled("float32", torch.device("cpu"))
