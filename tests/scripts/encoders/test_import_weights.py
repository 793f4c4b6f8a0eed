"""Encoders inside the files of other projects: found by names and shapes, refused when they are not whole."""

from __future__ import annotations

import logging
import re
from argparse import Namespace
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from scripts.encoders.factory import build_encoder, load_body, load_encoder
from scripts.encoders.import_weights import import_weights
from scripts.encoders.pooled import PooledEncoder
from scripts.errors import CxrError

State = dict[str, torch.Tensor]
VIT = {
    "model_type": "vit", "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48,
    "image_size": 64, "patch_size": 16,
}  # fmt: skip


def body(seed: int, **options: Any) -> nn.Module:
    torch.manual_seed(seed)
    return build_encoder("resnet50", **{"widen_factor": 0.0625, **options})


def under(prefix: str, state: Mapping[str, torch.Tensor]) -> State:
    return {f"{prefix}{key}": value for key, value in state.items()}


def tensors(*names: str) -> State:
    return {name: torch.zeros(2, 3) for name in names}


def same(found: nn.Module, state: Mapping[str, torch.Tensor]) -> bool:
    return all(torch.equal(value, state[key]) for key, value in found.state_dict().items() if key in state)


FC = tensors("fc.weight", "fc.bias")
# Names as the projects' code makes them: the ResNet's own names under the attribute path of their image encoder.
LAYOUTS: dict[str, tuple[Callable[[State], Any], str, dict[str, int]]] = {
    "torchvision": (lambda s: s | FC, "", {"fc": 2}),
    "M-FLAG's encoder": (lambda s: s, "", {}),
    "M-FLAG's whole model, in a checkpoint of DistributedDataParallel": (
        lambda s: {
            "epoch": 3,
            "model_state_dict": under("module.encoder.", s)
            | tensors("module.proj_v.0.weight", "module.lm_model.a", "module.lm_model.b"),
            "optimizer_state_dict": {"state": {0: {"exp_avg": torch.zeros(3)}}, "param_groups": [{"lr": 0.1}]},
        },
        "model_state_dict.module.encoder.",
        {"model_state_dict.module.proj_v": 1, "model_state_dict.module.lm_model": 2, "optimizer_state_dict": 1},
    ),
    "BioViL": (
        lambda s: under("encoder.encoder.", s | FC) | tensors("projector.model.0.weight", "projector.model.3.bias"),
        "encoder.encoder.", {"fc": 2, "projector": 2},
    ),
    "BioViL-T": (
        lambda s: under("encoder.encoder.", s | FC)
        | tensors("encoder.missing_previous_emb", "encoder.vit_pooler.blocks.0.norm1.weight", "projector.model.0.bias"),
        "encoder.encoder.",
        {"fc": 2, "encoder.missing_previous_emb": 1, "encoder.vit_pooler": 1, "projector": 1},
    ),
    "MGCA": (
        lambda s: {
            "epoch": 9, "pytorch-lightning_version": "1.5", "hyper_parameters": {"img_encoder": "resnet_50"},
            "state_dict": under("img_encoder_q.model.", s)
            | tensors("img_encoder_q.global_embed.head.0.weight", "text_encoder_q.model.x", "prototype_layer.weight"),
        },
        "state_dict.img_encoder_q.model.",
        {"state_dict.img_encoder_q.global_embed": 1, "state_dict.text_encoder_q": 1, "state_dict.prototype_layer": 1},
    ),
    "GLoRIA": (
        lambda s: {"state_dict": under("gloria.img_encoder.model.", s)
                   | tensors("gloria.img_encoder.global_embedder.weight", "gloria.text_encoder.model.x")},
        "state_dict.gloria.img_encoder.model.",
        {"state_dict.gloria.img_encoder.global_embedder": 1, "state_dict.gloria.text_encoder": 1},
    ),
    "a momentum copy first": (
        lambda s: under("img_encoder_m.", {k: v + 1 for k, v in s.items()}) | under("img_encoder.model.", s),
        "img_encoder.model.", {"img_encoder_m": 318},
    ),
    "MoCo": (lambda s: under("module.encoder_k.", {k: v + 1 for k, v in s.items()}) | under("module.encoder_q.", s),
             "module.encoder_q.", {"module.encoder_k": 318}),
    "a pre-training of this project": (
        lambda s: under("encoder.encoder.body.", s) | tensors("image_projector.0.weight", "encoder.encoder.scale"),
        "encoder.encoder.body.", {"image_projector": 1, "encoder.encoder.scale": 1},
    ),
}  # fmt: skip


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_published_layout_goes_in_whole(layout: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A ResNet-50 has 159 weights and biases and 106 means and variances (torchvision's file: 267 with fc's two)."""
    make, prefix, left_out = LAYOUTS[layout]
    source = body(1).state_dict()
    torch.save(make(dict(source)), tmp_path / "theirs.ckpt")
    found = body(2)
    with caplog.at_level(logging.INFO):
        report = import_weights(found, tmp_path / "theirs.ckpt")
    assert same(found, source)
    assert (report.matched, report.of, report.prefix, report.left_out) == (265, 265, prefix, left_out)
    rest = ", ".join(f"{name} {count}" for name, count in left_out.items()) or "nothing"
    assert f"theirs.ckpt: 265 of 265 tensors under prefix '{prefix}'; left out: {rest}." in caplog.text


def test_a_resnet_within_a_sequence(tmp_path: Path) -> None:
    """`nn.Sequential(*list(resnet.children())[:-1])`: torch numbers conv1, bn1, relu, maxpool, layer1, … from 0."""
    source = body(1)
    stages = [source.layer1, source.layer2, source.layer3, source.layer4]
    parts: list[Any] = [source.conv1, source.bn1, nn.ReLU(), nn.MaxPool2d(3), *stages, nn.AdaptiveAvgPool2d(1)]
    whole = nn.ModuleDict({"res_features": nn.Sequential(*parts), "text": nn.Linear(2, 3)})
    torch.save({"model": whole.state_dict()}, tmp_path / "theirs.pth")
    found = body(2)
    report = import_weights(found, tmp_path / "theirs.pth")
    assert same(found, source.state_dict())
    assert (report.prefix, report.left_out) == ("model.res_features.", {"model.text": 2})


@pytest.mark.parametrize("old", [False, True])
def test_torchvisions_densenet(old: bool, tmp_path: Path) -> None:
    """Its names: `denselayer1.norm1`; in the files that it publishes, `denselayer1.norm.1`."""
    torch.manual_seed(1)
    source = build_encoder("densenet121", growth_rate=4, init_features=8).state_dict()
    names = {key: key.replace(".layers.norm", ".norm").replace(".layers.conv", ".conv") for key in source}
    if old:
        names = {key: re.sub(r"(norm|conv)([12])\.", r"\1.\2.", name) if "denselayer" in name else name
                 for key, name in names.items()}  # fmt: skip
    theirs = {name: source[key] for key, name in names.items() if not name.endswith("num_batches_tracked")}
    assert f"features.denseblock1.denselayer1.norm{'.' if old else ''}1.weight" in theirs
    torch.save(theirs | tensors("classifier.weight", "classifier.bias"), tmp_path / "densenet121.pth")
    found = build_encoder("densenet121", growth_rate=4, init_features=8)
    report = import_weights(found, tmp_path / "densenet121.pth")
    assert same(found, {k: v for k, v in source.items() if not k.endswith("num_batches_tracked")})
    # torchvision's DenseNet-121: 120 convolutions and 121 norms (4 tensors each).
    assert (report.matched, report.left_out) == (120 + 4 * 121, {"classifier": 2})


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_a_transformer_within_a_classifier(suffix: str, tmp_path: Path) -> None:
    torch.manual_seed(1)
    source = build_encoder(VIT).state_dict()
    theirs = under("backbone.vit.", {key: value for key, value in source.items() if not key.startswith("pooler.")})
    theirs |= tensors("head.weight")
    (save_file if suffix == ".safetensors" else torch.save)(theirs, tmp_path / f"theirs{suffix}")
    found = PooledEncoder(VIT)
    assert load_encoder(found, tmp_path / f"theirs{suffix}") is found
    assert same(found.encoder.body, source)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s: s.pop("a.b.layer1.0.conv1.weight"),
         "this network: 1 missing (layer1.0.conv1.weight); it has 264 of 265 tensors, under prefix 'a.b.'"),
        (lambda s: s.update({"a.b.conv1.weight": torch.zeros(4, 3, 7, 7), "a.b.bn1.bias": torch.zeros(9)}),
         "2 of another shape (conv1.weight (4, 3, 7, 7) for (64, 3, 7, 7), bn1.bias (9,) for (64,)); it has 263 of"),
        (lambda s: s.update({"a.b.layer3.6.conv1.weight": torch.zeros(2)}), "1 unexpected (layer3.6.conv1.weight)"),
        (lambda s: [s.pop(key) for key in list(s) if not key.startswith("text")],
         "none of its 2 tensors is named like the encoder's (bn1.bias, bn1.running_mean, …). It has text 2."),
        (lambda s: s.clear(), "(bn1.bias, bn1.running_mean, …). It has no tensors."),
    ],
)  # fmt: skip
def test_an_encoder_that_is_not_whole_is_refused(change: Callable[[State], object], words: str, tmp_path: Path) -> None:
    """A deeper network of the same widths among them: all of a ResNet-50's names are in a ResNet-101."""
    state = under("a.b.", body(1, widen_factor=1).state_dict() if "64" in words else body(1).state_dict())
    state |= tensors("text.a", "text.b")
    change(state)
    torch.save(state, tmp_path / "theirs.pt")
    found = body(2, widen_factor=1) if "64" in words else body(2)
    before = {key: value.clone() for key, value in found.state_dict().items()}
    with pytest.raises(CxrError, match=re.escape(words)):
        import_weights(found, tmp_path / "theirs.pt")
    assert same(found, before)


def test_a_file_with_other_objects_is_refused(tmp_path: Path) -> None:
    """GLoRIA's and MGCA's Lightning checkpoints carry settings and callbacks as pickled objects."""
    torch.save({"state_dict": body(1).state_dict(), "hyper_parameters": Namespace(lr=1)}, tmp_path / "theirs.ckpt")
    with pytest.raises(CxrError, match=r"other objects can run code.*its `state_dict` alone, or safetensors"):
        load_body(body(2), tmp_path / "theirs.ckpt")


def test_an_encoder_with_an_adaptor_takes_either(tmp_path: Path) -> None:
    """What is frozen from any file of weights; the whole from a file that has the adaptor."""

    class Adapted(nn.Module):
        def __init__(self, seed: int) -> None:
            super().__init__()
            self.inner = PooledEncoder(body(seed)).encoder
            self.adaptor = nn.Linear(2, 2)

    source, found = Adapted(1), Adapted(2)
    torch.save(source.inner.body.state_dict(), tmp_path / "frozen.pt")
    torch.save(under("encoder.body.", source.state_dict()), tmp_path / "model.pt")
    load_body(found, tmp_path / "frozen.pt")
    assert same(found.inner, source.inner.state_dict())
    assert not torch.equal(found.adaptor.weight, source.adaptor.weight)
    found = Adapted(2)
    load_body(found, tmp_path / "model.pt")
    assert same(found, source.state_dict())
