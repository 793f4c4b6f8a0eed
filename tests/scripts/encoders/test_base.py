"""An encoder as the tasks see it: its maps are the network's own, its pooled vector is the stock one."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from monai.networks.nets import UNet
from torch import nn

from scripts.encoders.base import FeatureEncoder
from scripts.encoders.factory import build_encoder, feature_encoder, wrap_encoder
from scripts.errors import CxrError

IMAGES = torch.randn(2, 3, 96, 96, generator=torch.Generator().manual_seed(0))
TINY: dict[str, Any] = {"widen_factor": 0.25}
VIT = {
    "model_type": "vit", "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 48,
    "image_size": 96, "patch_size": 16,
}  # fmt: skip
SWIN = {"model_type": "swin", "embed_dim": 8, "depths": [1, 1, 2, 1], "num_heads": [1, 2, 2, 2]}
CONVNEXT = {"model_type": "convnext", "hidden_sizes": [8, 16, 32, 64], "depths": [1, 1, 2, 1]}


def encoder(name: Any = "resnet18", seed: int = 0, **options: Any) -> FeatureEncoder:
    torch.manual_seed(seed)
    found = feature_encoder(name, **(options or (TINY if isinstance(name, str) else {})))
    with torch.no_grad():
        for module in found.modules():  # as after some training: not the same in eval mode as without a norm
            if isinstance(module, nn.BatchNorm2d) and module.running_mean is not None:
                module.running_mean.normal_(0, 0.1)
    return found.eval()


@pytest.mark.parametrize("name", ["resnet10", "resnet18", "resnet50"])
def test_pooled_is_the_stock_networks_own_output(name: str) -> None:
    found = encoder(name)
    with torch.no_grad():
        expected = found.body(IMAGES)
        assert torch.equal(found.pooled(IMAGES), expected)
        assert found.dim == expected.shape[1]


def test_pooled_leaves_out_a_classifier_of_the_body() -> None:
    found = encoder("resnet18", feed_forward=True, num_classes=5, **TINY)
    with torch.no_grad():
        assert torch.equal(found.body.fc(found.pooled(IMAGES)), found.body(IMAGES))
    assert found.dim == 128


@pytest.mark.parametrize(
    ("options", "strides"),
    [({}, (2, 4, 8, 16, 32)), ({"conv1_t_stride": 1}, (1, 2, 4, 8, 16)), ({"no_max_pool": True}, (2, 2, 4, 8, 16))],
)
def test_maps_are_what_the_stock_forward_computes(options: dict[str, Any], strides: tuple[int, ...]) -> None:
    found = encoder("resnet18", **TINY, **options)
    body = found.body
    seen: dict[int, torch.Tensor] = {}
    # The stem's activation is called once; each stage's last output is the stage's own.
    for i, module in enumerate([body.act, body.layer1, body.layer2, body.layer3, body.layer4]):
        module.register_forward_hook(lambda _, __, output, i=i: seen.__setitem__(i, output.clone()))
    with torch.no_grad():
        body(IMAGES)
        expected = dict(seen)
        maps = found(IMAGES)
    assert len(maps) == 5
    for i, ours in enumerate(maps):
        assert torch.equal(ours, expected[i])
    assert found.strides == strides
    assert found.channels == (16, 16, 32, 64, 128)
    assert [tuple(m.shape[2:]) for m in maps] == [(96 // s, 96 // s) for s in strides]


def test_resnet50s_maps() -> None:
    """Table 1 of He et al. 2016: 256, 512, 1024 and 2048 channels after stages at 1/4 to 1/32 of the image."""
    found = feature_encoder("resnet50")
    assert found.channels == (64, 256, 512, 1024, 2048)
    assert (found.strides, found.dim) == ((2, 4, 8, 16, 32), 2048)


class Head(nn.Module):
    """A task's network in short: both ways into an encoder, in one output."""

    def __init__(self, encoder: FeatureEncoder) -> None:
        super().__init__()
        self.encoder = encoder
        self.linear = nn.Linear(encoder.dim, 2)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.linear(self.encoder.pooled(image)) + self.encoder(image)[1].mean((1, 2, 3)).unsqueeze(1)


def scripted(network: nn.Module) -> Callable[[torch.Tensor], torch.Tensor]:
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.script(network), buffer)
    buffer.seek(0)
    return torch.jit.load(buffer)


def exported(network: nn.Module) -> Callable[[torch.Tensor], torch.Tensor]:
    return torch.export.export(network, (IMAGES,)).module()  # type: ignore[no-any-return]


def onnx(network: nn.Module) -> Callable[[torch.Tensor], torch.Tensor]:
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(network, (IMAGES,), dynamo=True, verbose=False)
    assert program is not None
    session = runtime.InferenceSession(program.model_proto.SerializeToString(), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda image: torch.from_numpy(np.asarray(session.run(None, {name: image.numpy()})[0]))


@pytest.mark.parametrize("convert", [scripted, exported, onnx])
def test_a_converted_resnet_gives_the_same_values(convert: Callable[..., Any]) -> None:
    network = Head(encoder("resnet18")).eval()
    converted = convert(network)
    with torch.no_grad():
        torch.testing.assert_close(converted(IMAGES), network(IMAGES), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("config", [VIT, SWIN, CONVNEXT], ids=lambda config: config["model_type"])
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
def test_a_traced_transformer_gives_the_same_values(config: dict[str, Any]) -> None:
    found = encoder(config)
    other = torch.randn(IMAGES.shape, generator=torch.Generator().manual_seed(1))  # not the images of the trace
    with torch.no_grad():
        maps = torch.jit.trace(found, IMAGES, strict=False, check_trace=False)(other)
        for ours, expected in zip(maps, found(other), strict=True):
            torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-5)


def test_patch_tokens_lie_where_their_patches_are() -> None:
    """A model without attention and position: its token depends on its own patch alone."""
    found = encoder(VIT)
    body = found.body
    with torch.no_grad():
        body.embeddings.position_embeddings.zero_()
        for layer in body.layers:
            for weights in layer.attention.parameters():
                weights.zero_()
        image = torch.zeros(1, 3, 96, 96)
        empty = found(image)[0]
        image[:, :, 32:48, 64:80] = 1  # row 2, column 4 of 6 x 6 patches
        changed = (found(image)[0] - empty).abs().sum(1)[0] > 1e-4
    assert changed.nonzero().tolist() == [[2, 4]]


@pytest.mark.parametrize(("size", "grid"), [((96, 96), (6, 6)), ((100, 64), (6, 4)), ((88, 104), (6, 6))])
def test_a_token_map_covers_the_image_whatever_its_size(size: tuple[int, int], grid: tuple[int, int]) -> None:
    found = encoder(VIT)
    assert (found.channels, found.strides, found.dim) == ((32,), (16,), 32)
    with torch.no_grad():
        (tokens,) = found(torch.zeros(1, 3, *size))
    assert tokens.shape == (1, 32, *grid)


@pytest.mark.parametrize(
    ("config", "channels"),
    [(SWIN, (8, 16, 32, 64)), (CONVNEXT, (8, 16, 32, 64))],
    ids=lambda value: value["model_type"] if isinstance(value, dict) else "",
)
def test_a_hierarchy_gives_the_backbones_maps(config: dict[str, Any], channels: tuple[int, ...]) -> None:
    found = encoder(config)
    assert (found.channels, found.strides, found.dim) == (channels, (4, 8, 16, 32), 64)
    with torch.no_grad():
        maps = found(IMAGES)
        for ours, expected in zip(maps, found.body(IMAGES).feature_maps, strict=True):
            torch.testing.assert_close(ours, expected)
        if config is SWIN:  # ConvNeXt's own vector is the norm of the mean: test_pooled_vector
            torch.testing.assert_close(found.pooled(IMAGES), maps[-1].mean((2, 3)))


def test_images_are_normalised_as_the_model_was_trained() -> None:
    """Values of a picture in [0, 1]: normalised our way, then by the wrapper, they are what the model's own processor
    gives."""
    picture = torch.rand(1, 3, 96, 96, generator=torch.Generator().manual_seed(2))
    mean, std = (0.5, 0.4, 0.3), (0.5, 0.2, 0.25)
    found = encoder({**VIT, "image_mean": mean, "image_std": std})
    expected = (picture - torch.tensor(mean).reshape(1, 3, 1, 1)) / torch.tensor(std).reshape(1, 3, 1, 1)
    with torch.no_grad():
        ours = found.pooled((picture - 0.449) / 0.226)
        stock = found.body(expected, interpolate_pos_encoding=True).last_hidden_state[:, 0]
        torch.testing.assert_close(ours, stock, rtol=1e-4, atol=1e-5)
        plain = encoder(VIT)
        torch.testing.assert_close(plain.pooled(picture), plain.body(picture).last_hidden_state[:, 0])
        plain.load_state_dict(found.state_dict())  # as a task's weights are loaded where the folder is not
        torch.testing.assert_close(plain.pooled((picture - 0.449) / 0.226), ours)


@pytest.mark.parametrize("name", ["resnet18", {**VIT, "hidden_dropout_prob": 0.5}], ids=["resnet18", "vit"])
def test_a_frozen_encoder_never_changes(name: Any) -> None:
    found = encoder(name)
    before = {key: value.clone() for key, value in found.state_dict().items()}
    with torch.no_grad():
        expected = found.pooled(IMAGES)
    network = nn.Sequential(found.freeze(), nn.Dropout())
    network.train()  # as stock trainers do at each step
    assert network[1].training
    assert not any(module.training for module in found.modules())
    for _ in range(2):
        assert torch.equal(found.pooled(IMAGES), expected)
    assert not found.pooled(IMAGES).requires_grad
    assert all(torch.equal(value, before[key]) for key, value in found.state_dict().items())


def test_a_learning_encoder_follows_train_and_eval() -> None:
    found = encoder("resnet18")
    assert all(module.training for module in found.train().modules())
    assert not any(module.training for module in found.eval().modules())
    assert found.pooled(IMAGES).requires_grad


@pytest.mark.parametrize(
    ("name", "count"),
    [("resnet18", 5), (VIT, 4), (SWIN, 5), (CONVNEXT, 5)],
    ids=["resnet18", "vit", "swin", "convnext"],
)
def test_stages_hold_each_parameter_once_from_input_to_output(name: Any, count: int) -> None:
    found = encoder(name)
    stages = found.stages()
    held = [id(parameter) for stage in stages for parameter in stage.parameters()]
    assert len(stages) == count  # the stem or embeddings, then 4 stages or 3 blocks
    assert len(held) == len(set(held))
    assert set(held) == {id(parameter) for parameter in found.parameters()}
    first = {id(parameter) for parameter in stages[0].parameters()}
    assert id(next(iter(found.body.parameters()))) in first


def test_a_network_that_the_tasks_do_not_know_is_refused() -> None:
    with pytest.raises(CxrError, match="UNet is no encoder that the tasks know"):
        wrap_encoder(UNet(2, 3, 2, (4, 8), (2,)))


def test_a_wrapper_passes_through() -> None:
    found = encoder()
    assert feature_encoder(found) is found
    assert feature_encoder(found.body).body is found.body
    assert build_encoder(found) is found


def test_the_state_dict_is_the_bodys(tmp_path: Path) -> None:
    found = encoder()
    assert list(found.state_dict()) == [f"body.{key}" for key in found.body.state_dict()]
