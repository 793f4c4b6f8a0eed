"""Adaptor: the published size, and that neither side sees the other or the rest of the batch."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from scripts.encoders.factory import build_encoder
from scripts.encoders.pooled import PooledEncoder
from scripts.errors import CxrError
from scripts.pretraining.adaptor import Adaptor
from scripts.pretraining.infonce import InfoNCELoss

VIT: dict[str, Any] = {
    "model_type": "dinov2", "num_hidden_layers": 1, "num_attention_heads": 2, "patch_size": 14, "image_size": 28,
}  # fmt: skip
THIN: dict[str, Any] = {"width": 24, "layers": 2, "heads": 3, "hidden": 48}


def method(tokens: str = "pooled", image_dim: int = 16, text_dim: int = 20, **more: Any) -> Adaptor:
    torch.manual_seed(0)
    options = {"body": {**VIT, "hidden_size": image_dim}, "tokens": tokens, **more}
    return Adaptor(PooledEncoder("adaptor", options), text_dim, "float32")


@pytest.mark.parametrize(("image_dim", "count"), [(512, 12_011_009), (384, 11_912_705), (768, 12_207_617)])
def test_it_trains_the_published_number_of_parameters(image_dim: int, count: int) -> None:
    network = method(image_dim=image_dim, text_dim=768)
    assert sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad) == count


def test_the_temperature_starts_at_the_published_value_and_cannot_run_away() -> None:
    network = method(**THIN).eval()
    image, text = torch.randn(2, 16), torch.randn(2, 20)
    assert math.log(network(image, text)["scale"].item()) == pytest.approx(2.6592, abs=1e-4)
    network.log_scale.data.fill_(9.0)
    assert network(image, text)["scale"].item() == pytest.approx(100)


BATCHES: dict[str, Callable[[Callable[..., dict[str, Tensor]], Tensor, Tensor, str], Tensor]] = {
    "permuted": lambda f, image, text, key: f(image.flip(0), text.flip(0))[key].flip(0),
    "split": lambda f, image, text, key: torch.cat([f(*part)[key] for part in zip(image.split(2), text.split(2))]),
    "padded": lambda f, image, text, key: f(torch.cat([image, image]), torch.cat([text, text]))[key][:6],
    "with other texts": lambda f, image, text, key: f(image, text.flip(0) if key.startswith("image") else text)[key],
    "with other images": lambda f, image, text, key: f(image.flip(0) if key.startswith("text") else image, text)[key],
}


@pytest.mark.parametrize("tokens", ["pooled", "patch"])
@pytest.mark.parametrize("how", BATCHES)
def test_an_output_depends_on_its_own_image_or_text_alone(how: str, tokens: str) -> None:
    network = method(tokens, **THIN).eval()
    image, text = torch.randn(6, 3, 28, 28), torch.randn(6, 20)
    whole = network(image, text)
    for key in ("image_features", "image_projection", "text_projection"):
        torch.testing.assert_close(BATCHES[how](network, image, text, key), whole[key], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("tokens", ["pooled", "patch"])
def test_the_text_tower_is_the_image_tower_behind_its_own_projection(tokens: str) -> None:
    network = method(tokens, **THIN).eval()
    text = torch.randn(3, 20)
    tower = network.encoder.encoder.adaptor
    tower.projection.weight.data = torch.eye(24)[:, :16]
    shown = F.normalize(network.text_projector(text), dim=1)
    network.text_projector.weight.data = torch.eye(24, 20)
    text = torch.cat([shown[:, :16], torch.zeros(3, 4)], dim=1)
    torch.testing.assert_close(
        network.project_text(text), network.project_image(network.encoder(shown[:, :16])), atol=1e-5, rtol=1e-5
    )


@pytest.mark.parametrize("tokens", ["pooled", "patch"])
def test_a_step_on_stored_features_is_one_on_the_images(tokens: str) -> None:
    network = method(tokens, dropout=0.0, **THIN).train()
    image, text = torch.randn(4, 3, 28, 28), torch.randn(4, 20)
    gradients = []
    for seen in (image, network.encoder.frozen_features(image)):
        network.zero_grad()
        configured_loss()(network(seen, text)).backward()
        gradients.append({name: p.grad.clone() for name, p in network.named_parameters() if p.grad is not None})
    assert set(gradients[0]) == {name for name, p in network.named_parameters() if p.requires_grad}
    torch.testing.assert_close(gradients[1], gradients[0], atol=1e-6, rtol=1e-4)


def configured_loss() -> InfoNCELoss:
    """Of the overlay that trains the method."""
    part = dict(json.loads(Path("configs/adaptor.json").read_text())["loss"])
    assert part.pop("_target_") == "scripts.pretraining.InfoNCELoss"
    return InfoNCELoss(**part)


def test_three_quarters_of_the_loss_are_each_report_over_the_images() -> None:
    """The authors' arithmetic: .75 of the cross entropy along dim 1 of `logits_per_text`, .25 along dim 0."""
    pred = {key: F.normalize(torch.randn(5, 8), dim=1) for key in ("image_projection", "text_projection")}
    logits_per_text = 10 * pred["text_projection"] @ pred["image_projection"].T
    over_images = -logits_per_text.log_softmax(dim=1).diagonal().mean()
    over_reports = -logits_per_text.log_softmax(dim=0).diagonal().mean()
    assert (over_images - over_reports).abs() > 1e-3  # or the two could be exchanged unseen
    found = configured_loss()({**pred, "scale": torch.tensor(10.0)})
    torch.testing.assert_close(found, 0.75 * over_images + 0.25 * over_reports)


def test_the_weights_of_the_two_directions_by_hand() -> None:
    # Both images look like the first report. A report cannot tell its image: log 2 each. An image over the reports:
    # log(1 + 1/e) for the first, log(1 + e) for the second.
    pred = {"image_projection": torch.tensor([[1.0, 0.0], [1.0, 0.0]]), "text_projection": torch.eye(2)}
    wanted = 0.75 * math.log(2) + 0.25 * (math.log(1 + math.exp(-1)) + math.log(1 + math.e)) / 2
    assert configured_loss()({**pred, "scale": torch.tensor(1.0)}).item() == pytest.approx(wanted, rel=1e-6)


def test_cells_of_the_map_are_in_the_shared_space() -> None:
    cells = method("patch", **THIN).eval().project_cells(torch.randn(2, 3, 42, 28))
    assert cells.shape == (2, 3, 2, 24)
    torch.testing.assert_close(cells.norm(dim=-1), torch.ones(2, 3, 2))


def test_the_layers_stand_once_in_the_state_dict() -> None:
    network = method(**THIN)
    assert len(network.state_dict()) == len({value.data_ptr() for value in network.state_dict().values()})


def test_another_encoder_is_refused() -> None:
    with pytest.raises(CxrError, match=r"put configs/adaptor\.json over"):
        Adaptor(build_encoder("resnet10", widen_factor=0.25), text_dim=20)
