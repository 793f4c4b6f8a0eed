"""PooledEncoder: the form that pre-training takes, whatever is inside."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from scripts.encoders.factory import build_encoder, feature_encoder, load_encoder
from scripts.encoders.pooled import PooledEncoder

IMAGES = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
TOKENS = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 64, "patch_size": 16}
STAGES = {"hidden_sizes": [8, 16, 32, 64], "depths": [1, 1, 2, 1]}
# With what their pooled vector does not depend on: a token that only masked training puts in, norms of other maps.
ENCODERS: dict[str, tuple[Any, dict[str, Any], set[str]]] = {
    "resnet": ("resnet10", {"widen_factor": 0.25}, set()),
    "densenet": ("densenet121", {"growth_rate": 4, "init_features": 8}, set()),
    "dinov2": ({"model_type": "dinov2", **TOKENS}, {}, {"embeddings.mask_token"}),
    "convnext": (
        {"model_type": "convnext", **STAGES}, {},
        {f"hidden_states_norms.stage{i}.{kind}" for i in (1, 2, 3) for kind in ("weight", "bias")},
    ),
    "adaptor": ("adaptor", {"body": "resnet10", "body_options": {"widen_factor": 0.25}, "width": 16, "layers": 1,
                            "heads": 2, "hidden": 8}, set()),
}  # fmt: skip


def made(name: str, seed: int = 0) -> PooledEncoder:
    encoder, options, _ = ENCODERS[name]
    torch.manual_seed(seed)
    return PooledEncoder(encoder, options)


@pytest.mark.parametrize("name", ENCODERS)
def test_it_is_the_encoders_pooled_vector(name: str) -> None:
    encoder = made(name).eval()
    with torch.no_grad():
        found = encoder(IMAGES)
    assert found.shape == (2, encoder.dim)
    torch.testing.assert_close(found, encoder.encoder.pooled(IMAGES))
    assert feature_encoder(encoder) is encoder.encoder
    assert all(key.startswith("encoder.") for key in encoder.state_dict())
    assert {key.removeprefix("encoder.body.") for key in encoder.state_dict()} >= set(encoder.encoder.body.state_dict())


@pytest.mark.parametrize("name", ["resnet", "densenet", "dinov2", "convnext"])
def test_each_trained_parameter_has_a_gradient_and_no_other_is_trained(name: str) -> None:
    """What several ranks wait for: a parameter without a gradient would stop them."""
    encoder = made(name)
    encoder(IMAGES).square().sum().backward()
    frozen = {key for key, parameter in encoder.named_parameters() if not parameter.requires_grad}
    assert frozen == {f"encoder.body.{key}" for key in ENCODERS[name][2]}
    assert [key for key, p in encoder.named_parameters() if p.requires_grad and p.grad is None] == []


@pytest.mark.parametrize("name", ["resnet", "densenet", "dinov2", "convnext"])
def test_a_reinitialized_encoder_is_one_that_was_made_with_this_seed(name: str) -> None:
    encoder, fresh = made(name, 1), made(name, 2)
    torch.manual_seed(2)
    encoder.reinitialize()
    for key, value in fresh.state_dict().items():
        ours = encoder.state_dict()[key]
        if name in ("dinov2", "convnext"):
            assert torch.equal(ours, value), key
        elif value.ndim > 1:  # drawn in another order: the same distribution
            assert ours.std().item() == pytest.approx(value.std().item(), rel=0.2), key
        else:
            assert torch.equal(ours, value), key


def test_what_a_cache_keeps_is_the_pooled_vector_of_the_whole() -> None:
    encoder = made("dinov2").eval()
    assert encoder.frozen_part() is encoder.encoder
    assert encoder.without_adaptor() is None
    with torch.no_grad():
        assert torch.equal(encoder.frozen_features(IMAGES), encoder(IMAGES))


def test_only_the_adaptor_is_drawn_anew_and_its_frozen_encoder_stands_alone() -> None:
    encoder = made("adaptor").eval()
    alone = encoder.without_adaptor()
    assert alone is not None
    before = {key: value.clone() for key, value in encoder.state_dict().items()}
    encoder.reinitialize()
    after = encoder.state_dict()
    assert all(torch.equal(after[key], value) for key, value in before.items() if ".inner." in key)
    assert not all(torch.equal(after[key], value) for key, value in before.items() if ".adaptor." in key)
    with torch.no_grad():
        torch.testing.assert_close(alone(IMAGES), encoder.frozen_features(IMAGES))


def test_weights_of_a_stock_network_go_into_it(tmp_path: Any) -> None:
    torch.manual_seed(3)
    stock = build_encoder("resnet10", widen_factor=0.25).eval()
    torch.save(stock.state_dict(), tmp_path / "model.pt")
    found = made("resnet").eval()
    assert load_encoder(found, tmp_path / "model.pt") is found
    with torch.no_grad():
        torch.testing.assert_close(found(IMAGES), stock(IMAGES))
