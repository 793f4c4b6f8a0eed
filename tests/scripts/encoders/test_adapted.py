"""The Adaptor on a frozen encoder: its size, its mathematics, and that no image sees another."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scripts.encoders.adapted import AdaptedEncoder, AdaptorLayer, AdaptorTower
from scripts.encoders.factory import build_encoder
from scripts.errors import SettingError

THIN = {"width": 24, "layers": 2, "heads": 3, "hidden": 48}
RESNET = {"body": "resnet10", "body_options": {"widen_factor": 0.25}}
VIT = {
    "body": {
        "model_type": "dinov2", "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "patch_size": 14,
        "image_size": 56,
    }
}  # fmt: skip


def encoder(tokens: str = "pooled", body: dict[str, Any] = VIT, **more: Any) -> AdaptedEncoder:
    torch.manual_seed(0)
    return build_encoder("adaptor", **body, tokens=tokens, **{**THIN, **more}).eval()  # type: ignore[return-value]


def trained(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)


@pytest.mark.parametrize("image_dim", [384, 512, 768])
def test_a_tower_has_the_published_size(image_dim: int) -> None:
    # Two layers of 5,513,984 (counted from the authors' code) and a matrix without bias.
    assert trained(AdaptorTower(image_dim)) == 2 * 5_513_984 + 768 * image_dim


@pytest.mark.parametrize("tokens", ["pooled", "patch"])
def test_the_tower_alone_is_trained(tokens: str) -> None:
    adapted = encoder(tokens).train()
    assert trained(adapted) == trained(adapted.adaptor) > 0
    assert not adapted.inner.training
    assert adapted.adaptor.training
    assert trained(adapted.freeze()) == 0
    assert not adapted.train().adaptor.training


@pytest.mark.parametrize("length", [1, 2, 7])
def test_a_layer_is_torchs_layer(length: int) -> None:
    torch.manual_seed(0)
    ours = AdaptorLayer(24, 3, 48, 0.1, batch_first=True).eval()
    theirs = nn.TransformerEncoderLayer(24, 3, 48, 0.1, batch_first=True).eval()
    theirs.load_state_dict(ours.state_dict())
    tokens = torch.randn(5, length, 24)
    torch.testing.assert_close(ours(tokens), theirs(tokens), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(ours(tokens, 1), theirs(tokens)[:, :1], atol=1e-5, rtol=1e-5)


def test_one_tokens_dropout_has_the_moments_of_torchs_layer() -> None:
    torch.manual_seed(0)
    ours = AdaptorLayer(24, 3, 48, 0.3, batch_first=True).train()
    theirs = nn.TransformerEncoderLayer(24, 3, 48, 0.3, batch_first=True).train()
    theirs.load_state_dict(ours.state_dict())
    tokens = torch.randn(1, 1, 24).expand(20000, 1, 24)
    with torch.no_grad():
        means, deviations = zip(*((found.mean(0), found.std(0)) for found in (ours(tokens), theirs(tokens))))
    torch.testing.assert_close(*means, atol=0.03, rtol=0)
    torch.testing.assert_close(*deviations, atol=0.03, rtol=0)


def test_on_one_token_each_it_is_the_published_cross_attention() -> None:
    """The authors' layer, written out: query = text, key and value = image; then the other way round."""
    torch.manual_seed(0)
    layer = AdaptorLayer(24, 3, 48, 0.0, batch_first=True).eval()
    attention = nn.MultiheadAttention(24, 3, batch_first=True).eval()
    attention.load_state_dict(layer.self_attn.state_dict())

    def update(query: Tensor, own: Tensor) -> Tensor:
        x = layer.norm1(own + attention(query, own, own)[0])
        return layer.norm2(x + layer.linear2(F.relu(layer.linear1(x))))

    image, text = torch.randn(5, 1, 24), torch.randn(5, 1, 24)
    new_image = update(text, image)
    new_text = update(new_image, text)
    torch.testing.assert_close(layer(image), new_image, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(layer(text), new_text, atol=1e-5, rtol=1e-5)


BATCHES: dict[str, Callable[[Callable[[Tensor], Tensor], Tensor], Tensor]] = {
    "permuted": lambda f, x: f(x.flip(0)).flip(0),
    "split": lambda f, x: torch.cat([f(part) for part in x.split([1, 3, 2])]),
    "padded": lambda f, x: f(torch.cat([x, torch.randn_like(x)]))[: len(x)],
}


@pytest.mark.parametrize("body", [VIT, RESNET], ids=["vit", "resnet"])
@pytest.mark.parametrize("tokens", ["pooled", "patch"])
@pytest.mark.parametrize("how", BATCHES)
def test_an_output_does_not_depend_on_the_other_images(how: str, tokens: str, body: dict[str, Any]) -> None:
    adapted, image = encoder(tokens, body), torch.randn(6, 3, 56, 56)
    for output in (adapted.pooled, lambda x: adapted(x)[-1], lambda x: adapted.pooled(adapted.stored(x))):
        torch.testing.assert_close(BATCHES[how](output, image), output(image), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("body", [VIT, RESNET], ids=["vit", "resnet"])
@pytest.mark.parametrize("tokens", ["pooled", "patch"])
def test_stored_features_give_the_same_as_the_image(tokens: str, body: dict[str, Any]) -> None:
    adapted, image = encoder(tokens, body), torch.randn(2, 3, 56, 56)
    stored = adapted.frozen_features(image)
    cells = 16 if body is VIT else 4
    assert stored.shape == ((2, adapted.inner.dim) if tokens == "pooled" else (2, 1 + cells, adapted.inner.dim))
    torch.testing.assert_close(adapted.pooled(stored), adapted.pooled(image))
    assert adapted.frozen_part() is adapted.inner
    adapted.freeze()
    assert adapted.frozen_part() is adapted
    torch.testing.assert_close(adapted.frozen_features(image), adapted.pooled(image))


def test_a_pooled_token_alone_is_a_cell_among_others_only_with_patches() -> None:
    """`pooled` makes of a cell what it makes of a pooled vector; `patch` lets the cells look at each other."""
    image = torch.randn(1, 3, 56, 56)
    for tokens in ("pooled", "patch"):
        adapted = encoder(tokens)
        cell = adapted.inner(image)[-1][:, :, 1, 2]
        alone = torch.allclose(adapted(image)[-1][:, :, 1, 2], adapted.pooled(cell), atol=1e-5)
        assert alone == (tokens == "pooled")


@pytest.mark.parametrize("body", [VIT, RESNET], ids=["vit", "resnet"])
@pytest.mark.parametrize("tokens", ["pooled", "patch"])
def test_the_maps_are_the_inner_ones_with_the_last_adapted(tokens: str, body: dict[str, Any]) -> None:
    adapted, image = encoder(tokens, body), torch.randn(2, 3, 70, 56)
    maps, inner = adapted(image), adapted.inner(image)
    assert [found.shape[1] for found in maps] == list(adapted.channels)
    assert adapted.strides == adapted.inner.strides
    assert maps[-1].shape == (2, 24, *inner[-1].shape[-2:])
    for found, wanted in zip(maps[:-1], inner[:-1]):
        torch.testing.assert_close(found, wanted)


def test_gradients_reach_every_weight_of_the_tower_and_none_inside() -> None:
    adapted = encoder("patch").train()
    adapted.pooled(torch.randn(2, 3, 56, 56)).square().mean().backward()
    assert all(parameter.grad is not None for parameter in adapted.adaptor.parameters())
    assert all(parameter.grad is None for parameter in adapted.inner.parameters())
    assert {id(p) for stage in adapted.stages() for p in stage.parameters()} == {
        id(p) for p in adapted.adaptor.parameters()
    }


def test_reinitialized_it_is_another_adaptor_on_the_same_encoder() -> None:
    adapted = encoder()
    before = {key: value.clone() for key, value in adapted.state_dict().items()}
    torch.manual_seed(1)
    adapted.reinitialize()
    after = adapted.state_dict()
    assert not torch.equal(after["body.adaptor.projection.weight"], before["body.adaptor.projection.weight"])
    assert all(torch.equal(after[key], value) for key, value in before.items() if ".inner." in key)


def test_what_cannot_be_is_said() -> None:
    with pytest.raises(ValueError, match=r"sequences \(B, T, d\), not \(4, 16\)"):
        AdaptorTower(16, **THIN)(torch.randn(4, 16))
    with pytest.raises(SettingError, match="pooled or patch"):
        encoder("words")
    with pytest.raises(SettingError, match="multiple of its heads"):
        AdaptorTower(16, width=10, heads=3)


@pytest.mark.parametrize("body", [VIT, RESNET, {"body": "densenet121", "body_options": {"growth_rate": 4}}], ids=str)
def test_one_pass_gives_the_pooled_vector_and_the_maps(body: dict[str, Any]) -> None:
    inner, image = encoder(body=body).inner, torch.randn(2, 3, 64, 48)
    pooled, maps = inner.pooled_and_maps(image)
    torch.testing.assert_close(pooled, inner.pooled(image))
    for found, wanted in zip(maps, inner(image), strict=True):
        torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize(("tokens", "body"), [("patch", VIT), ("pooled", RESNET)], ids=["patch vit", "pooled resnet"])
def test_its_networks_export_for_any_batch_and_trace(tokens: str, body: dict[str, Any], tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    from scripts.tasks.segmentation.network import Segmenter

    torch.manual_seed(0)
    network = Segmenter("adaptor", 1, (8, 8, 8, 8, 8), {**body, "tokens": tokens, **THIN}).eval().requires_grad_(False)
    image = torch.randn(2, 3, 56, 56)
    exported = torch.export.export(network, (image,), dynamic_shapes={"image": {0: torch.export.Dim("batch")}})
    path = tmp_path / "network.onnx"
    torch.onnx.export(exported, (), str(path), verbose=False)
    session = onnxruntime.InferenceSession(str(path))
    traced = torch.jit.trace(network, image)
    for batch in (image, torch.randn(3, 3, 56, 56)):
        expected = network(batch)
        torch.testing.assert_close(exported.module()(batch), expected)
        torch.testing.assert_close(traced(batch), expected, atol=1e-5, rtol=1e-4)
        found = session.run(None, {session.get_inputs()[0].name: batch.numpy()})[0]
        torch.testing.assert_close(torch.from_numpy(found), expected, atol=1e-5, rtol=1e-4)
