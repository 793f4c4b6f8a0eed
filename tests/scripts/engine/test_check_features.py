"""Weights that see wrong images end the run before its first step; nothing else does."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from ignite.engine import Engine
from torch import nn

from scripts.data.sampling import StudyDataset
from scripts.encoders.factory import feature_encoder, load_body
from scripts.encoders.normalization import Normalization
from scripts.engine.check_features import CheckFeatures
from scripts.errors import CxrError

GREY = torch.rand(12, 1, 64, 64, generator=torch.Generator().manual_seed(0))
FORM: dict[str, Any] = {"init_features": 8, "growth_rate": 4, "block_config": (2, 2, 2, 2), "in_channels": 1}


def trained(folder: Path) -> Path:
    """A DenseNet whose batch norms know images from -1024 to 1024, as torchxrayvision's; its class layer is gone, so
    that the family cannot be told.
    """
    torch.manual_seed(1)
    found = feature_encoder("densenet121", **FORM)
    for module in found.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
            nn.init.normal_(module.bias, 0, 0.2)
    with torch.no_grad():
        found.train()(((2 * GREY - 1) * 1024).repeat(1, 3, 1, 1))
    torch.save(found.body.state_dict(), folder / "theirs.pt")
    return folder / "theirs.pt"


def check(encoder: Any, weights: Any, images: torch.Tensor = GREY, iteration: int = 0) -> None:
    items = [{"image": torch.as_tensor(image), "number": i} for i, image in enumerate(images)]
    dataset = StudyDataset(items, lambda item: {"image": ((item["image"] - 0.449) / 0.226).repeat(3, 1, 1)})
    handler = CheckFeatures(Network(encoder), dataset, weights)
    engine = Engine(lambda *_: None)
    handler.attach(engine)
    engine.state.iteration = iteration
    if weights and weights != "random":
        handler.check(engine)
    else:
        engine.run([0])


class Network(nn.Module):
    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder


def test_one_vector_for_all_images_is_an_error(tmp_path: Path) -> None:
    weights = trained(tmp_path)
    encoder = feature_encoder("densenet121", **FORM)
    load_body(encoder, weights)
    words = (
        r"theirs\.pt the encoder gives 12 different images \(nearly\) one vector: .*--encoder_mean and --encoder_std"
    )
    with pytest.raises(CxrError, match=words):
        check(encoder, weights)
    check(encoder, None)
    check(encoder, "random")
    check(encoder, weights, iteration=5)  # a resumed run
    check(encoder, weights, GREY[:1].repeat(12, 1, 1, 1))  # one picture twelve times
    before = {key: value.clone() for key, value in encoder.state_dict().items()}
    encoder.normalize(Normalization((0.5,), (1 / 2048,)))
    check(encoder.train(), weights)
    assert encoder.training
    assert all(torch.equal(value, encoder.state_dict()[key]) for key, value in before.items())


def test_vectors_without_numbers_are_an_error(tmp_path: Path) -> None:
    encoder = feature_encoder("densenet121", **FORM)
    nn.init.constant_(encoder.body.features.conv0.weight, float("nan"))
    with pytest.raises(CxrError, match="vectors that are no finite numbers"):
        check(encoder, tmp_path / "theirs.pt")


def test_images_that_cannot_be_read_are_passed_over(tmp_path: Path) -> None:
    def transform(item: dict[str, Any]) -> dict[str, Any]:
        raise ValueError("no picture")

    dataset = StudyDataset([{"image": "a.png"}, {"image": "b.png"}], transform)
    engine = SimpleNamespace(state=SimpleNamespace(iteration=0))
    CheckFeatures(Network(feature_encoder("densenet121", **FORM)), dataset, "x.pt").check(engine)  # type: ignore[arg-type]
