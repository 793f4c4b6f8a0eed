"""Weights load strictly, from plain files only."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from ignite.engine import Engine
from monai.networks.nets import resnet18, resnet50
from safetensors.torch import save_file
from torch import nn

from scripts.encoders.factory import load_encoder
from scripts.encoders.weights import LoadWeights, load_weights, read_weights
from scripts.errors import CxrError

FORM = {
    "spatial_dims": 2, "n_input_channels": 3, "conv1_t_stride": 2, "bias_downsample": False, "feed_forward": False
}  # fmt: skip


def network(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))


def first(network: nn.Module) -> torch.Tensor:
    return network.state_dict()["0.weight"].clone()


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".safetensors"])
def test_each_kind_of_file_gives_the_values_back(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"weights{suffix}"
    source, target = network(0), network(1)
    save = save_file if suffix == ".safetensors" else torch.save
    save(source.state_dict(), path)
    assert load_weights(target, path) is target
    assert all(torch.equal(target.state_dict()[key], value) for key, value in source.state_dict().items())
    assert read_weights(path).keys() == source.state_dict().keys()


Change = Callable[[dict[str, torch.Tensor]], object]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s: s.pop("0.bias"), "1 missing (0.bias)"),
        (lambda s: s.update({"2.weight": torch.zeros(1)}), "1 unexpected (2.weight)"),
        (lambda s: s.update({"0.weight": torch.zeros(4, 2)}), "1 of another shape (0.weight (4, 2) for (3, 2))"),
        (lambda s: (s.pop("0.bias"), s.update(a=torch.zeros(1))), "1 missing (0.bias); 1 unexpected (a)"),
        (lambda s: s.update({f"x{i}": torch.zeros(1) for i in range(5)}), "5 unexpected (x0, x1, x2, …)"),
        (lambda s: (s.update({f"module.{k}": s[k] for k in list(s)}), [s.pop(k) for k in network().state_dict()]),
         "6 missing (0.weight, 0.bias, 1.weight, …); 7 unexpected (module.0.weight, "),
    ],
)  # fmt: skip
def test_every_key_that_does_not_fit_is_told_and_nothing_is_loaded(tmp_path: Path, change: Change, words: str) -> None:
    path, target = tmp_path / "weights.pt", network(1)
    state = network(0).state_dict()
    change(state)
    torch.save(state, path)
    before = {key: value.clone() for key, value in target.state_dict().items()}
    with pytest.raises(CxrError, match=re.escape(words)):
        load_weights(target, path)
    assert all(torch.equal(target.state_dict()[key], value) for key, value in before.items())


def test_prefix_and_ignored_keys(tmp_path: Path) -> None:
    source, target = network(0), network(1)
    state = {f"encoder.{key}": value for key, value in source.state_dict().items()}
    torch.save(state | {"encoder.fc.weight": torch.zeros(1), "head.weight": torch.zeros(1)}, tmp_path / "all.pt")
    load_weights(target, tmp_path / "all.pt", prefix="encoder.", ignore=("fc.",))
    assert torch.equal(first(target), first(source))
    with pytest.raises(CxrError, match=r"1 unexpected \(fc.weight\)"):
        load_weights(target, tmp_path / "all.pt", prefix="encoder.")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"model": network().state_dict()}, "not a raw state dict (it holds model)"),
        ([torch.zeros(1)], "not a raw state dict (it holds list)"),
        ({"weight": torch.zeros(1), "epoch": 3}, "not a raw state dict"),
        (network(), "not a file of plain tensors"),  # a pickled module is code
    ],
)
def test_what_is_no_state_dict_is_refused(tmp_path: Path, content: object, words: str) -> None:
    torch.save(content, tmp_path / "other.pt")
    with pytest.raises(CxrError, match=re.escape(words)):
        read_weights(tmp_path / "other.pt")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CxrError, match=r"No weights at .*nowhere\.pt\. Train first"):
        load_encoder(network(), tmp_path / "nowhere.pt")


@pytest.mark.parametrize("path", [None, ""])
def test_no_path_leaves_the_encoder_as_it_is(path: str | None) -> None:
    encoder = network()
    before = first(encoder)
    assert load_encoder(encoder, path) is encoder
    assert torch.equal(first(encoder), before)


TORCHVISION_RESNET18 = (
    ["conv1.weight", *(f"bn1.{k}" for k in ("weight", "bias", "running_mean", "running_var"))]
    + [
        f"layer{stage}.{block}.{name}"
        for stage in range(1, 5)
        for block in range(2)
        for name in (
            "conv1.weight", "conv2.weight",
            *(f"bn{i}.{k}" for i in (1, 2) for k in ("weight", "bias", "running_mean", "running_var")),
        )
    ]
    + [
        f"layer{stage}.0.downsample.{name}"
        for stage in range(2, 5)
        for name in ("0.weight", *(f"1.{k}" for k in ("weight", "bias", "running_mean", "running_var")))
    ]
)  # fmt: skip


def test_torchvisions_names_go_in_as_they_are(tmp_path: Path) -> None:
    """The key list of torchvision's resnet18-f37072fd.pth (without the counters, which that file lacks, too)."""
    own = resnet18(**FORM)
    shapes = {key: value.shape for key, value in own.state_dict().items()}
    weights = {key: torch.full(shapes[key], 0.5) for key in TORCHVISION_RESNET18}
    torch.save(weights | {"fc.weight": torch.zeros(1000, 512), "fc.bias": torch.zeros(1000)}, tmp_path / "imagenet.pth")
    load_encoder(own, tmp_path / "imagenet.pth")
    assert all(bool((own.state_dict()[key] == 0.5).all()) for key in weights)
    assert len(weights) + sum(key.endswith("num_batches_tracked") for key in shapes) == len(shapes)


def test_the_default_encoder_is_torchvisions_resnet50() -> None:
    encoder = resnet50(**FORM)
    assert sum(parameter.numel() for parameter in encoder.parameters()) == 23_508_032  # 25,557,032 less fc's 2,049,000
    assert encoder.conv1.stride == (2, 2)


def test_the_handler_loads_when_the_engine_starts(tmp_path: Path) -> None:
    source, target = network(0), network(1)
    torch.save(source.state_dict(), tmp_path / "weights.pt")
    engine = Engine(lambda *_: None)
    LoadWeights(target, tmp_path / "weights.pt").attach(engine)
    assert not torch.equal(first(target), first(source))  # not before: the weights may still be being trained
    engine.run([0])
    assert torch.equal(first(target), first(source))
