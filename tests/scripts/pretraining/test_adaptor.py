"""Adaptor: the published size, and that neither side sees the other or the rest of the batch."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from scripts.errors import CxrError
from scripts.image import PooledEncoder, build_encoder
from scripts.pretraining import Adaptor, InfoNCELoss

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
        InfoNCELoss(image_weight=0.75)(network(seen, text)).backward()
        gradients.append({name: p.grad.clone() for name, p in network.named_parameters() if p.grad is not None})
    assert set(gradients[0]) == {name for name, p in network.named_parameters() if p.requires_grad}
    torch.testing.assert_close(gradients[1], gradients[0], atol=1e-6, rtol=1e-4)


def test_the_loss_weighs_the_image_side_by_three_quarters() -> None:
    pred = {key: F.normalize(torch.randn(5, 8), dim=1) for key in ("image_projection", "text_projection")}
    logits = 10 * pred["image_projection"] @ pred["text_projection"].T
    ours = InfoNCELoss(image_weight=0.75)({**pred, "scale": torch.tensor(10.0)})
    wanted = -0.75 * logits.log_softmax(1).diagonal().mean() - 0.25 * logits.log_softmax(0).diagonal().mean()
    torch.testing.assert_close(ours, wanted)


def test_cells_of_the_map_are_in_the_shared_space() -> None:
    cells = method("patch", **THIN).eval().project_cells(torch.randn(2, 3, 42, 28))
    assert cells.shape == (2, 3, 2, 24)
    torch.testing.assert_close(cells.norm(dim=-1), torch.ones(2, 3, 2))


def test_the_layers_stand_once_in_the_state_dict() -> None:
    network = method(**THIN)
    assert len(network.state_dict()) == len({value.data_ptr() for value in network.state_dict().values()})


def test_another_encoder_is_refused() -> None:
    with pytest.raises(CxrError, match=r"put configs/adaptor\.json over"):
        Adaptor(build_encoder("resnet10", widen_factor=0.125), text_dim=20)
