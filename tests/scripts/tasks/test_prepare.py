"""prepare_network and parameter_groups: whose weights, what learns, how fast."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from scripts.encoders.factory import feature_encoder
from scripts.errors import CxrError
from scripts.tasks.prepare import parameter_groups, prepare_network

IMAGES = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
RESNET: tuple[Any, dict[str, Any]] = ("resnet10", {"widen_factor": 0.25})
TOKENS = {
    "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2, "image_size": 64, "patch_size": 16,
}  # fmt: skip
DINOV2: tuple[Any, dict[str, Any]] = ({"model_type": "dinov2", **TOKENS}, {})
CLIP: tuple[Any, dict[str, Any]] = ({"model_type": "clip_vision_model", **TOKENS, "intermediate_size": 48}, {})
SWIN: tuple[Any, dict[str, Any]] = (
    {"model_type": "swin", "embed_dim": 8, "depths": [1, 1, 2, 1], "num_heads": [1, 2, 2, 2]}, {}
)  # fmt: skip


class Network(nn.Module):
    """The form that the tasks' networks share; `pooled` says which side of the encoder it uses."""

    def __init__(self, encoder: tuple[Any, dict[str, Any]] = RESNET, pooled: bool = True) -> None:
        super().__init__()
        self.encoder = feature_encoder(encoder[0], **encoder[1])
        self.pooled = pooled
        self.head = nn.Sequential(nn.Linear(self.encoder.dim, 4), nn.BatchNorm1d(4), nn.Dropout(), nn.Linear(4, 1))

    def forward(self, image: torch.Tensor) -> dict[str, list[torch.Tensor]]:
        found = self.encoder.pooled(image) if self.pooled else self.encoder(image)[-1].mean((2, 3))
        return {"logits": [self.head(found)]}


def network(encoder: tuple[Any, dict[str, Any]] = RESNET, seed: int = 0, pooled: bool = True) -> Network:
    torch.manual_seed(seed)
    return Network(encoder, pooled)


def states(module: nn.Module) -> dict[str, torch.Tensor]:
    return {key: value.clone() for key, value in module.state_dict().items()}


def step(found: nn.Module, groups: list[dict[str, Any]]) -> None:
    optimizer = torch.optim.AdamW(groups)
    found.train()
    found(IMAGES)["logits"][0].sum().backward()
    optimizer.step()


def test_encoder_weights_go_into_the_encoder_alone(tmp_path: Path) -> None:
    source, found = network(seed=1), network(seed=2)
    torch.save(source.encoder.body.state_dict(), tmp_path / "model.pt")
    head = states(found.head)
    assert prepare_network(found, tmp_path / "model.pt") is found
    assert all(torch.equal(v, source.state_dict()[k]) for k, v in found.state_dict().items() if k.startswith("encoder"))
    assert all(torch.equal(value, head[key]) for key, value in found.head.state_dict().items())


def test_weights_of_the_whole_network(tmp_path: Path) -> None:
    source, found = network(seed=1), network(seed=2)
    torch.save(source.state_dict(), tmp_path / "model.pt")
    prepare_network(found, weights=tmp_path / "model.pt")
    assert all(torch.equal(value, source.state_dict()[key]) for key, value in found.state_dict().items())


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("encoder_weights", "none of its 1 tensors is named like the encoder's"),
        ("weights", r"missing .*1 unexpected \(a\)"),
    ],
)
def test_weights_that_do_not_fit_are_refused(argument: str, words: str, tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(1)}, tmp_path / "model.pt")
    with pytest.raises(CxrError, match=words):
        prepare_network(network(), **{argument: tmp_path / "model.pt"})  # type: ignore[arg-type]


@pytest.mark.parametrize("encoder", [RESNET, DINOV2], ids=["resnet", "dinov2"])
def test_a_frozen_encoder_stays_while_the_head_learns(encoder: tuple[Any, dict[str, Any]]) -> None:
    found = prepare_network(network(encoder), frozen=True)
    before = states(found)
    step(found, parameter_groups(found, lr=0.1, weight_decay=0.1))
    changed = {key for key, value in found.state_dict().items() if not torch.equal(value, before[key])}
    assert changed  # batch norm's statistics of the head among them
    assert all(key.startswith("head.") for key in changed)
    assert found.head[2].training


@pytest.mark.parametrize("pooled", [True, False], ids=["pooled", "maps"])
@pytest.mark.parametrize(
    ("encoder", "unused"),
    [
        (RESNET, {True: 0, False: 0}),
        (DINOV2, {True: 1, False: 1}),
        (CLIP, {True: 0, False: 2}),
        (SWIN, {True: 8, False: 8}),
    ],
    ids=["resnet", "dinov2", "clip", "swin"],
)
def test_everything_that_learns_gets_a_gradient(
    encoder: tuple[Any, dict[str, Any]], unused: dict[bool, int], pooled: bool
) -> None:
    """DINOv2's mask token; CLIP's last norm, which only the class token passes; Swin's final norm and the norms of the
    maps that are not used: DistributedDataParallel would wait for their gradients."""
    found = network(encoder, pooled=pooled)
    before, random = states(found), torch.get_rng_state()
    prepare_network(found, frozen=False)
    assert torch.equal(torch.get_rng_state(), random)
    assert all(torch.equal(value, before[key]) for key, value in found.state_dict().items())
    found.train()
    found(IMAGES)["logits"][0].sum().backward()
    assert all((p.grad is not None) == p.requires_grad for p in found.parameters())
    assert sum(not p.requires_grad for p in found.parameters()) == unused[pooled]


def rates(found: nn.Module, groups: list[dict[str, Any]]) -> dict[str, tuple[float, float]]:
    where = {id(p): (group["lr"], group["weight_decay"]) for group in groups for p in group["params"]}
    assert sum(len(group["params"]) for group in groups) == len(where)
    return {name: where[id(p)] for name, p in found.named_parameters() if id(p) in where}


def test_rates_fall_by_the_stage() -> None:
    """By hand, with half the rate a stage: layer4 0.01, layer3 0.005, … the stem 0.01 / 16."""
    found = prepare_network(network(), frozen=False)
    given = rates(found, parameter_groups(found, lr=0.1, weight_decay=0.3, encoder_lr=0.01, layer_decay=0.5))
    assert len(given) == len(list(found.parameters()))
    body = "encoder.body."
    assert given["head.0.weight"] == given["head.3.weight"] == (0.1, 0.3)  # the last one's shape is (1, 4)
    assert given["head.0.bias"] == given["head.1.weight"] == given["head.1.bias"] == (0.1, 0.0)
    assert given[f"{body}layer4.0.conv1.weight"] == (0.01, 0.3)
    assert given[f"{body}layer4.0.bn1.weight"] == (0.01, 0.0)
    assert given[f"{body}layer3.0.downsample.0.weight"] == (0.005, 0.3)
    assert given[f"{body}layer1.0.conv1.weight"] == pytest.approx((0.01 / 8, 0.3))
    assert given[f"{body}conv1.weight"] == pytest.approx((0.01 / 16, 0.3))
    assert given[f"{body}bn1.bias"] == pytest.approx((0.01 / 16, 0.0))


def test_rates_of_a_transformer() -> None:
    """Embeddings, then three blocks; the final norm goes with the last one. Tokens and positions do not decay."""
    found = prepare_network(network(DINOV2), frozen=False)
    given = rates(found, parameter_groups(found, lr=0.1, weight_decay=0.3, layer_decay=0.5))
    body = "encoder.body."
    assert f"{body}embeddings.mask_token" not in given
    assert given[f"{body}layernorm.weight"] == (0.1, 0.0)
    layers = {name: value for name, value in given.items() if "layer.2." in name or "layers.2." in name}
    assert layers and all(rate == 0.1 for rate, _ in layers.values())
    assert given[f"{body}embeddings.cls_token"] == given[f"{body}embeddings.position_embeddings"] == (0.0125, 0.0)
    assert given[f"{body}embeddings.patch_embeddings.projection.weight"] == (0.0125, 0.3)


def test_without_other_settings_one_rate_for_all() -> None:
    found = prepare_network(network(), frozen=False)
    groups = parameter_groups(found, lr=0.1, weight_decay=0.3)
    assert {group["lr"] for group in groups} == {0.1}
    step(found, groups)


def test_a_frozen_encoder_has_no_group() -> None:
    groups = parameter_groups(prepare_network(network()), lr=0.1, weight_decay=0.3, encoder_lr=0.01)
    assert [group["name"] for group in groups] == ["head", "head, no decay"]
    assert json.dumps([group["name"] for group in groups])


def test_kernels_lie_channels_last() -> None:
    kernel = prepare_network(network()).encoder.body.layer1[0].conv1.weight
    assert kernel.is_contiguous(memory_format=torch.channels_last)
