"""MONAI's DenseNet as an encoder: the stock network's own values."""

from __future__ import annotations

import io

import pytest
import torch
from monai.networks.nets import DenseNet121

from scripts.encoders.densenet import DenseNetEncoder
from scripts.encoders.factory import feature_encoder
from scripts.encoders.pooled import PooledEncoder

TINY = {"growth_rate": 4, "init_features": 8}
IMAGES = torch.rand(2, 3, 96, 96, generator=torch.Generator().manual_seed(0))


def tiny(**options: int) -> DenseNetEncoder:
    torch.manual_seed(0)
    found = feature_encoder("densenet121", **{**TINY, **options})
    assert isinstance(found, DenseNetEncoder)
    return found.eval()


def test_the_pooled_vector_is_what_the_stock_network_classifies() -> None:
    encoder = tiny()
    stock = DenseNet121(2, 3, 5, **TINY).eval()
    stock.load_state_dict(encoder.body.state_dict(), strict=False)
    seen: list[torch.Tensor] = []
    stock.class_layers.out.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        stock(IMAGES)
        torch.testing.assert_close(encoder.pooled(IMAGES), seen[0])
        torch.testing.assert_close(encoder.body(IMAGES), seen[0])


def test_the_maps_are_those_between_the_blocks() -> None:
    """Channels of DenseNet-121 (Huang et al. 2017, table 1): 64, then 256, 512, 1024, 1024 where the growth is 32."""
    encoder = tiny(growth_rate=32, init_features=64)
    assert encoder.channels == (64, 256, 512, 1024, 1024)
    assert encoder.strides == (2, 4, 8, 16, 32)
    assert encoder.dim == 1024
    seen: list[torch.Tensor] = []
    for name in ("transition1", "transition2", "transition3"):
        # The norm and ReLU that the stock network applies before it halves the map.
        layer = encoder.body.features.get_submodule(name).conv
        layer.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].clone()))
    with torch.no_grad():
        maps = encoder(IMAGES)
        seen.clear()
        encoder.body(IMAGES)
    for found, expected in zip(maps[1:4], seen, strict=True):
        torch.testing.assert_close(found, expected)


def test_every_parameter_is_in_one_stage() -> None:
    encoder = tiny()
    held = [id(parameter) for stage in encoder.stages() for parameter in stage.parameters()]
    assert len(encoder.stages()) == 5
    assert sorted(held) == sorted(id(parameter) for parameter in encoder.parameters())


@pytest.mark.parametrize("name", ["resnet10", "densenet121"])
def test_torchscript_takes_the_pooled_encoder(name: str) -> None:
    pooled = PooledEncoder(name, {"widen_factor": 0.25} if name == "resnet10" else TINY).eval()
    file = io.BytesIO()
    torch.jit.save(torch.jit.script(pooled), file)
    file.seek(0)
    with torch.no_grad():
        torch.testing.assert_close(torch.jit.load(file)(IMAGES), pooled(IMAGES))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("resnet10", {"n_input_channels": 1, "widen_factor": 0.25}),
        ("densenet121", {"in_channels": 1, **TINY}),
        ({"model_type": "vit", "num_channels": 1, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
          "intermediate_size": 16, "image_size": 96, "patch_size": 16}, {}),
    ],
)  # fmt: skip
def test_a_network_of_one_channel_sees_the_first_of_three_equal_ones(name: object, options: dict[str, object]) -> None:
    encoder = PooledEncoder(name, options).eval()  # type: ignore[arg-type]
    grey = IMAGES[:, :1]
    with torch.no_grad():
        found = encoder(grey.repeat(1, 3, 1, 1))
        body = encoder.encoder.body
        expected = body(pixel_values=grey).last_hidden_state[:, 0] if isinstance(name, dict) else body(grey)
    torch.testing.assert_close(found, expected)
