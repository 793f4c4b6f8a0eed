"""Weights of other projects see the images that they were trained on, wherever the network goes."""

from __future__ import annotations

import copy
import io
import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from scripts.encoders.factory import build_encoder, feature_encoder, load_body, load_encoder
from scripts.encoders.normalization import image_statistics
from scripts.encoders.pooled import PooledEncoder
from scripts.encoders.weights import load_weights
from scripts.engine.feature_files import encoder_key
from scripts.errors import CxrError
from scripts.tasks.classification.network import Classifier
from scripts.tasks.prepare import prepare_network

State = dict[str, Tensor]
GREY = torch.rand(2, 1, 64, 64, generator=torch.Generator().manual_seed(0))  # from 0 to 1
IMAGES = ((GREY - 0.449) / 0.226).repeat(1, 3, 1, 1)  # as the workflows hand them over
DENSENET = {"init_features": 8, "growth_rate": 4, "block_config": (1, 1, 1, 1)}
RESNET = {"widen_factor": 0.125}


def torchxrayvision(image: Tensor) -> Tensor:
    """`torchxrayvision.utils.normalize(image * 255, 255)` of version 1.5.7: `(2 * (img / maxval) - 1.0) * 1024`."""
    return (2 * (image * 255 / 255) - 1.0) * 1024


def biovil(image: Tensor) -> Tensor:
    """health_multimodal's transform: ToTensor (uint8 / 255), then the one channel three times."""
    return torch.repeat_interleave(image, 3, dim=1)


def colours(mean: tuple[float, ...], std: tuple[float, ...]) -> Callable[[Tensor], Tensor]:
    """torchvision's `Normalize(mean, std)` of an RGB image with equal channels."""
    return lambda image: (
        (image.repeat(1, 3, 1, 1) - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[:, None, None]
    )


def half(image: Tensor) -> Tensor:
    """`Normalize((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))` of MGCA, GLoRIA and M-FLAG."""
    return (image.repeat(1, 3, 1, 1) - 0.5) / 0.5


imagenet = colours((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
moco_cxr = colours((0.5020, 0.5020, 0.5020), (0.085585, 0.085585, 0.085585))


def under(prefix: str) -> Callable[[State], State]:
    return lambda state: {f"{prefix}{key}": value for key, value in state.items()}


def torchvisions(state: State) -> State:
    return {key.replace(".layers.norm", ".norm").replace(".layers.conv", ".conv"): v for key, v in state.items()}


def head(name: str, rows: int) -> State:
    return {f"{name}.weight": torch.zeros(rows, 4), f"{name}.bias": torch.zeros(rows)}


GREY_DENSENET = ("densenet121", {**DENSENET, "in_channels": 1})
GREY_RESNET = ("resnet50", {**RESNET, "n_input_channels": 1})
FAMILIES: dict[str, tuple[tuple[str, dict[str, Any]], Callable[[State], Any], Callable[[Tensor], Tensor], str]] = {
    "torchxrayvision DenseNet": (
        GREY_DENSENET, lambda s: torchvisions(s) | head("classifier", 18), torchxrayvision, "torchxrayvision"),
    "torchxrayvision ResNet": (GREY_RESNET, lambda s: s | head("fc", 18), torchxrayvision, "torchxrayvision"),
    "torchxrayvision ResNet, whole": (
        GREY_RESNET, lambda s: under("model.")(s | head("fc", 18)), torchxrayvision, "torchxrayvision"),
    "BioViL": (
        ("resnet50", RESNET), lambda s: under("encoder.encoder.")(s) | head("projector.model.0", 3), biovil, "BioViL"),
    "BioViL-T": (
        ("resnet50", RESNET),
        lambda s: under("encoder.encoder.")(s) | head("encoder.vit_pooler", 3) | head("projector.model.3", 3),
        biovil, "BioViL"),
    "MGCA": (("resnet50", RESNET), lambda s: {"state_dict": under("img_encoder_q.model.")(s)}, half, "MGCA"),
    "GLoRIA": (("resnet50", RESNET), lambda s: {"state_dict": under("gloria.img_encoder.model.")(s)}, half, "GLoRIA"),
    "M-FLAG": (
        ("resnet50", RESNET), lambda s: under("module.encoder.")(s) | head("module.proj_v.0", 3), half, "M-FLAG"),
    "MedKLIP": (
        ("resnet50", RESNET), lambda s: {"model": under("module.res_features.")(s)}, imagenet, "MedKLIP and KAD"),
    "MoCo-CXR": (
        ("resnet50", RESNET),
        lambda s: {"state_dict": under("module.encoder_q.")(s) | {"module.queue": torch.zeros(2, 24_576)}},
        moco_cxr, "MoCo-CXR"),
    "torchvision": (("resnet50", RESNET), lambda s: s | head("fc", 1000), imagenet, "torchvision"),
    "torchvision DenseNet": (
        ("densenet121", DENSENET), lambda s: torchvisions(s) | head("classifier", 1000), imagenet, "torchvision"),
}  # fmt: skip


def stock(name: str, options: dict[str, Any], seed: int = 1) -> Any:
    """An encoder without a normalisation of its own, in eval mode."""
    torch.manual_seed(seed)
    return feature_encoder(name, **options).eval()


def pooled(form: Any, options: dict[str, Any]) -> PooledEncoder:
    with torch.enable_grad():  # by which it finds what its vector depends on
        return PooledEncoder(form, options).eval()


def same(found: Tensor, expected: Tensor) -> None:
    """To the rounding of the largest number: a range of 2048 goes through fifty layers that scale nothing back."""
    assert_close(found, expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_known_family_sees_its_own_images(family: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (name, options), layout, transform, told = FAMILIES[family]
    theirs = stock(name, options)
    torch.save(layout(dict(theirs.body.state_dict())), tmp_path / "theirs.pt")
    ours = stock(name, options, seed=2)
    with caplog.at_level(logging.INFO):
        load_body(ours, tmp_path / "theirs.pt")
    with torch.no_grad():
        same(ours.pooled(IMAGES), theirs.pooled(transform(GREY)))
    assert re.search(rf"theirs\.pt: images normalised by mean .*\({told}\)", caplog.text)


@pytest.mark.parametrize(
    ("name", "options", "layout"),
    [
        ("resnet50", RESNET, lambda s: s),  # this project's own, and M-FLAG's encoder alone
        ("resnet50", RESNET, lambda s: s | head("fc", 14)),
        ("resnet50", RESNET, lambda s: under("module.encoder_q.")(s) | {"module.queue": torch.zeros(2, 65_536)}),
        ("resnet50", {**RESNET, "n_input_channels": 1}, lambda s: s),
    ],
)  # fmt: skip
def test_what_nobody_knows_is_told(
    name: str, options: dict[str, Any], layout: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    theirs, ours = stock(name, options), stock(name, options, seed=2)
    torch.save(layout(dict(theirs.body.state_dict())), tmp_path / "theirs.pt")
    with caplog.at_level(logging.INFO):
        load_body(ours, tmp_path / "theirs.pt")
    assert ours.state_dict().keys() == theirs.state_dict().keys()
    with torch.no_grad():
        assert torch.equal(ours.pooled(IMAGES), theirs.pooled(IMAGES))
    assert "mean 0.449, deviation 0.226, as this project's own weights want it" in caplog.text
    assert "say --encoder_mean and --encoder_std" in caplog.text
    load_body(ours, tmp_path / "theirs.pt", 0.5, 0.25)
    with torch.no_grad():
        same(ours.pooled(IMAGES), theirs.pooled(((GREY - 0.5) / 0.25).repeat(1, 3, 1, 1)))


VIT = {
    "model_type": "vit", "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 16,
    "image_size": 64, "patch_size": 16,
}  # fmt: skip
MEAN, STD = [0.3, 0.4, 0.5], [0.2, 0.3, 0.25]


@pytest.mark.parametrize("encoder", ["resnet18", "densenet121", "vit", "adaptor"])
def test_it_goes_where_the_weights_go(encoder: str, tmp_path: Path) -> None:
    """Pre-training's file, a task, its strict file, a copy, the options, TorchScript and torch.export."""
    known: dict[str, dict[str, Any]] = {"resnet18": RESNET, "densenet121": DENSENET}
    options = known.get(encoder, {})
    if encoder == "adaptor":
        options = {"body": "resnet18", "body_options": RESNET, "width": 12, "heads": 2, "hidden": 8}
    form: Any = VIT if encoder == "vit" else encoder
    torch.manual_seed(1)
    first = load_encoder(PooledEncoder(form, options), None, MEAN, STD).eval()
    with torch.no_grad():
        plain, expected = pooled(form, options), first(IMAGES)
        keys = {key: value for key, value in first.state_dict().items() if key in plain.state_dict()}
        plain.load_state_dict(keys | {k: v for k, v in plain.state_dict().items() if k.endswith(("scale", "shift"))})
        rgb = (GREY.repeat(1, 3, 1, 1) - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]
        same(expected, plain(rgb))
        assert float((expected - plain(IMAGES)).abs().max()) > 1e-3
        found = image_statistics(first)
        assert found is not None and (found.mean, found.std) == (tuple(MEAN), tuple(STD))
        assert encoder_key(first, {}) != encoder_key(plain, {})
        torch.save(first.state_dict(), tmp_path / "model.pt")
        assert torch.equal(load_weights(pooled(form, options), tmp_path / "model.pt")(IMAGES), expected)
        task = prepare_network(Classifier(form, 2, encoder_options=options), tmp_path / "model.pt")
        same(task.encoder.pooled(IMAGES), expected)
        torch.save(task.state_dict(), tmp_path / "task.pt")
        again = prepare_network(
            Classifier(form, 2, encoder_options=options), "nowhere.pt", weights=tmp_path / "task.pt"
        )
        assert torch.equal(again.eval()(IMAGES), task.eval()(IMAGES))
        assert torch.equal(copy.deepcopy(task)(IMAGES), task(IMAGES))
        if encoder in ("resnet18", "densenet121"):
            file = io.BytesIO()
            torch.jit.save(torch.jit.script(task), file)
            file.seek(0)
            same(torch.jit.load(file)(IMAGES), task(IMAGES))
            optioned = feature_encoder(form, **options, image_mean=MEAN, image_std=STD).eval()
            optioned.load_state_dict({k.removeprefix("encoder."): v for k, v in first.state_dict().items()})
            assert torch.equal(optioned.pooled(IMAGES), expected)
        program = torch.export.export(task, (IMAGES,)).module()
        same(program(IMAGES), task(IMAGES))


def test_a_stock_network_keeps_its_class_and_names() -> None:
    """Weights of this project's own: no key more than MONAI's and torchvision's ResNet has."""
    own = build_encoder("resnet18", **RESNET)
    keys = set(own.state_dict())
    parameters = {id(parameter) for parameter in own.parameters()}
    load_encoder(own, None, 0.5, 0.5)
    assert set(own.state_dict()) - keys == {"conv1.scale", "conv1.shift"}
    assert {id(parameter) for parameter in own.parameters()} == parameters  # an optimizer still has them
    assert isinstance(own.conv1, nn.Conv2d)


@pytest.mark.parametrize(
    ("mean", "std", "words"),
    [
        (0.5, None, "encoder_mean and encoder_std go together"),
        (None, [0.5], "encoder_mean and encoder_std go together"),
        ("0.5x", 0.5, "encoder_mean must be a number, or three of them, not '0.5x'"),
        (True, 0.5, "encoder_mean must be a number"),
        ([0.5, 0.5], 0.5, "encoder_mean must be a number, or three of them, not [0.5, 0.5]"),
        (0.5, float("nan"), "encoder_std must be a number"),
        (0.5, 0, "encoder_std must be above 0, not 0"),
        (0.5, [0.2, 0.2, -0.2], "encoder_std must be above 0"),
    ],
)
def test_what_cannot_be_right_is_refused(mean: Any, std: Any, words: str) -> None:
    with pytest.raises(CxrError, match=re.escape(words)):
        load_encoder(build_encoder("resnet10", **RESNET), None, mean, std)


def test_three_means_do_not_fit_one_channel() -> None:
    with pytest.raises(CxrError, match=r"images have 1 channels, not the 3 of 'mean 0\.3, 0\.4, 0\.5"):
        load_encoder(build_encoder("resnet10", **RESNET, n_input_channels=1), None, MEAN, STD)
