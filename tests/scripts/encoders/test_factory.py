"""Encoders by name, by folder and by configuration; their weights, strictly."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    AutoConfig,
    AutoModel,
    CLIPConfig,
    CLIPModel,
    ConvNextForImageClassification,
    Dinov2Model,
    PreTrainedModel,
    SwinForImageClassification,
    ViTForImageClassification,
)

from scripts.encoders.base import FeatureEncoder
from scripts.encoders.factory import build_encoder, encoder_config, feature_encoder, load_body, wrap_encoder
from scripts.errors import CxrError

IMAGES = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
TOKENS = {
    "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48, "image_size": 64,
    "patch_size": 16,
}  # fmt: skip
FORMS: dict[str, dict[str, Any]] = {
    "vit": TOKENS,
    "dinov2": {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 64, "patch_size": 8},
    "dinov3_vit": TOKENS,
    "beit": TOKENS,
    "ijepa": TOKENS,
    "convnext": {"hidden_sizes": [8, 16, 32, 64], "depths": [1, 1, 2, 1]},
    "convnextv2": {"hidden_sizes": [8, 16, 32, 64], "depths": [1, 1, 2, 1]},
    "swin": {"embed_dim": 8, "depths": [1, 1, 2, 1], "num_heads": [1, 2, 2, 2]},
    "resnet": {"embedding_size": 16, "hidden_sizes": [16, 24, 32, 64], "depths": [1, 1, 2, 1], "layer_type": "basic"},
}
# torchvision's published counts less the 1000-class layer.
PARAMETERS = {
    "resnet18": 11_689_512 - 513_000,
    "resnet34": 21_797_672 - 513_000,
    "resnet50": 25_557_032 - 2_049_000,
    "densenet121": 7_978_856 - 1_025_000,
    "densenet169": 14_149_480 - 1_665_000,
    "densenet201": 20_013_928 - 1_921_000,
}


def stock(kind: str, seed: int = 3) -> PreTrainedModel:
    torch.manual_seed(seed)
    return AutoModel.from_config(AutoConfig.for_model(kind, **FORMS[kind])).eval()


def wrapped(body: torch.nn.Module) -> FeatureEncoder:
    return wrap_encoder(body).eval()


@pytest.mark.parametrize("name", PARAMETERS)
def test_stock_networks_are_torchvisions(name: str) -> None:
    assert sum(parameter.numel() for parameter in build_encoder(name).parameters()) == PARAMETERS[name]


def test_options_go_on_top() -> None:
    assert feature_encoder("resnet10", widen_factor=0.25).channels == (16, 16, 32, 64, 128)
    assert feature_encoder({"model_type": "vit", **TOKENS}, hidden_size=16).dim == 16


def test_the_same_seed_gives_the_same_encoder() -> None:
    for encoder in ("resnet10", {"model_type": "vit", **TOKENS}):
        torch.manual_seed(5)
        first = build_encoder(encoder).state_dict()  # type: ignore[arg-type]
        torch.manual_seed(5)
        second = build_encoder(encoder).state_dict()  # type: ignore[arg-type]
        assert all(torch.equal(first[key], second[key]) for key in first)


@pytest.mark.parametrize(
    ("encoder", "options", "words"),
    [
        ("resnet17", {}, "No encoder 'resnet17': MONAI has resnet10, resnet18"),
        ("unet", {}, "No encoder 'unet': it is no folder, and not the `owner/name`"),
        ("/nowhere/at/all", {}, "No encoder '/nowhere/at/all': it is no folder"),
        ("resnet10", {"widen": 2}, "encoder_options: 'resnet10' does not take them (ResNet"),
        ("densenet121", {"growth": 2}, "encoder_options: 'densenet121' does not take them ("),
        ({"model_type": "vit", **TOKENS}, {"depht": 2}, "encoder_options: a 'vit' has no depht"),
        ({"model_type": "my-vit"}, {}, "'my-vit' is no architecture"),
        (TOKENS, {}, "'' is no architecture (`model_type`)"),
        ({"model_type": "bert"}, {}, "'bert' is no vision model"),
        ({"model_type": "vit", **TOKENS, "num_channels": 4}, {}, "not a model of images with one or three"),
        ({"model_type": "vit", **TOKENS, "hidden_act": "nope"}, {}, "'vit' cannot be built as configured: 'nope'"),
        ({"model_type": "vit", **TOKENS}, {"hidden_size": "big"}, "'hidden_size' expected int, got str (value: 'big')"),
        (torch.nn.Identity(), {"widen_factor": 2}, "encoder_options: widen_factor cannot be given"),
    ],
)
def test_what_is_no_encoder_is_told(encoder: Any, options: dict[str, Any], words: str) -> None:
    with pytest.raises(CxrError, match=re.escape(words)):
        build_encoder(encoder, **options)


@pytest.mark.parametrize("kind", FORMS)
def test_a_folders_weights_give_the_models_own_features(kind: str, tmp_path: Path) -> None:
    model = stock(kind)
    model.save_pretrained(tmp_path)
    torch.manual_seed(8)
    encoder = wrapped(build_encoder(str(tmp_path)))
    load_body(encoder.body, tmp_path)
    # Sides that are multiples of the patch; and the stock Swin fails where a stage is smaller than its window.
    images = torch.randn(2, 3, 224, 224) if kind == "swin" else IMAGES
    with torch.no_grad():
        found, pooled = model(images), encoder.pooled(images)
    if kind in (
        "swin",
        "resnet",
        "beit",
        "dinov2",
        "dinov3_vit",
        "convnext",
        "convnextv2",
    ):  # the model pools as it is used here
        torch.testing.assert_close(pooled, found.pooler_output.flatten(1), rtol=1e-4, atol=1e-5)
    elif kind == "vit":  # its pooler is a classifier's; the class token is the feature
        torch.testing.assert_close(pooled, found.last_hidden_state[:, 0], rtol=1e-4, atol=1e-5)
    else:  # I-JEPA has no class token
        torch.testing.assert_close(pooled, found.last_hidden_state.mean(1), rtol=1e-4, atol=1e-5)
    if kind.startswith("convnext"):  # the last map goes through the model's final norm
        with torch.no_grad():
            last = model.layernorm(found.last_hidden_state.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
            torch.testing.assert_close(encoder(images)[-1], last, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("model", "kind"),
    [(ViTForImageClassification, "vit"), (SwinForImageClassification, "swin"),
     (ConvNextForImageClassification, "convnext")],
)  # fmt: skip
def test_a_classifiers_folder_gives_its_encoder(
    model: Any, kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    torch.manual_seed(3)
    published = model(AutoConfig.for_model(kind, **FORMS[kind])).eval()
    published.save_pretrained(tmp_path)
    encoder = feature_encoder(str(tmp_path)).eval()
    with caplog.at_level(logging.INFO):
        load_body(encoder.body, str(tmp_path))
    assert "left out, not part of the encoder: classifier.bias, classifier.weight" in caplog.text
    theirs, ours = published.base_model.state_dict(), encoder.body.state_dict()
    shared = [key for key in ours if key in theirs]
    assert len(shared) > 20 or kind == "swin"  # the backbone of Swin keeps the model inside
    assert all(torch.equal(ours[key], theirs[key]) for key in shared)
    assert all(torch.equal(ours[f"swin.{key}"], value) for key, value in theirs.items() if f"swin.{key}" in ours
               and "layernorm" not in key)  # fmt: skip


def test_the_image_side_of_a_model_of_two(tmp_path: Path) -> None:
    torch.manual_seed(3)
    config = CLIPConfig(
        text_config={**TOKENS, "vocab_size": 60, "bos_token_id": 1, "eos_token_id": 2, "num_hidden_layers": 1},
        vision_config=TOKENS,
    )
    model = CLIPModel(config).eval()
    model.save_pretrained(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({"image_mean": [0.5] * 3, "image_std": [0.5] * 3}))
    encoder = wrapped(load_body(build_encoder(str(tmp_path)), str(tmp_path)))
    picture = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        expected = model.vision_model((picture - 0.5) / 0.5).pooler_output
        torch.testing.assert_close(encoder.pooled((picture - 0.449) / 0.226), expected, rtol=1e-4, atol=1e-5)


def test_a_masked_autoencoder_is_read_as_the_transformer_it_is(tmp_path: Path) -> None:
    torch.manual_seed(3)
    model = AutoModel.from_config(AutoConfig.for_model("vit_mae", **TOKENS, mask_ratio=0.0)).eval()
    model.save_pretrained(tmp_path)
    encoder = wrapped(load_body(build_encoder(str(tmp_path)), str(tmp_path)))
    with torch.no_grad():
        expected = model(IMAGES, noise=torch.arange(16.0).repeat(2, 1)).last_hidden_state[:, 0]
        torch.testing.assert_close(encoder.pooled(IMAGES), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["vit", "swin"])
def test_weights_that_do_not_fit_are_listed(kind: str, tmp_path: Path) -> None:
    model = stock(kind)
    model.save_pretrained(tmp_path / "whole")
    wide = {"hidden_size": 16} if kind == "vit" else {"embed_dim": 16}
    with pytest.raises(CxrError, match=r"does not fit .*of another shape .*Is `encoder` its own config"):
        load_body(build_encoder(str(tmp_path / "whole"), **wide), tmp_path / "whole")
    state = model.state_dict()
    gone = next(key for key in state if "layers.1." in key)
    state.pop(gone)
    model.save_pretrained(tmp_path / "part", state_dict=state)
    with pytest.raises(CxrError, match=rf"does not fit .*1 missing \(\S*{re.escape(gone)}\)"):
        load_body(build_encoder(str(tmp_path / "part")), tmp_path / "part")


def test_a_folder_without_configuration_is_told(tmp_path: Path) -> None:
    with pytest.raises(CxrError, match=r"its config\.json cannot be read"):
        build_encoder(str(tmp_path))
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(CxrError, match=r"its config\.json cannot be read"):
        build_encoder(str(tmp_path))


def test_a_folder_without_weights_is_told(tmp_path: Path) -> None:
    stock("vit").config.save_pretrained(tmp_path)
    with pytest.raises(CxrError, match="do not load"):
        load_body(build_encoder(str(tmp_path)), tmp_path)


def test_loading_leaves_the_random_state_alone(tmp_path: Path) -> None:
    stock("swin").save_pretrained(tmp_path)
    body = build_encoder(str(tmp_path))
    torch.manual_seed(1)
    expected = torch.rand(2)
    torch.manual_seed(1)
    load_body(body, tmp_path)
    assert torch.equal(torch.rand(2), expected)


@pytest.mark.parametrize("prefix", ["", "encoder.body."])
@pytest.mark.parametrize("kind", ["resnet10", "vit"])
def test_a_state_dict_of_the_body_or_of_a_tasks_network(kind: str, prefix: str, tmp_path: Path) -> None:
    encoder, options = (kind, {"widen_factor": 0.25}) if kind == "resnet10" else ({"model_type": kind, **TOKENS}, {})
    torch.manual_seed(1)
    source = build_encoder(encoder, **options).state_dict()  # type: ignore[arg-type]
    other = {"head.weight": torch.zeros(2, 2)} if prefix else {"fc.weight": torch.zeros(2, 2)}
    torch.save({f"{prefix}{key}": value for key, value in source.items()} | other, tmp_path / "model.pt")
    torch.manual_seed(2)
    body = build_encoder(encoder, **options)  # type: ignore[arg-type]
    assert load_body(body, tmp_path / "model.pt") is body
    assert all(torch.equal(value, source[key]) for key, value in body.state_dict().items())


@pytest.mark.parametrize("weights", [None, ""])
def test_without_weights_the_body_stays_random(weights: str | None) -> None:
    body = build_encoder("resnet10", widen_factor=0.25)
    before = {key: value.clone() for key, value in body.state_dict().items()}
    assert load_body(body, weights) is body
    assert all(torch.equal(value, before[key]) for key, value in body.state_dict().items())


def test_a_configuration_builds_without_its_folder(tmp_path: Path) -> None:
    """What a packed bundle carries: JSON, the model's own normalisation in it, and a state dict."""
    stock("vit").save_pretrained(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({"image_mean": [0.5] * 3, "image_std": [0.2] * 3}))
    here = wrapped(load_body(build_encoder(str(tmp_path)), tmp_path))
    carried = json.loads(json.dumps(encoder_config(str(tmp_path))))
    there = feature_encoder(carried).eval()
    there.load_state_dict(here.state_dict())
    with torch.no_grad():
        assert torch.equal(there.pooled(IMAGES), here.pooled(IMAGES))
        assert not torch.allclose(there.pooled(IMAGES), wrapped(stock("vit")).pooled(IMAGES))
    assert encoder_config("resnet50") == "resnet50"
    assert encoder_config(carried) == carried


def test_a_model_of_the_hub_at_a_revision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Laid out as the hub's cache on disk: two commits of one model, one of them `main`, the other tagged `v1`."""
    commits = {"main": "a" * 40, "v1": "b" * 40}
    repository = tmp_path / "models--lab--xray"
    (repository / "refs").mkdir(parents=True)
    states = {}
    for seed, (ref, commit) in enumerate(commits.items()):
        model = stock("vit", seed)
        model.save_pretrained(repository / "snapshots" / commit)
        (repository / "refs" / ref).write_text(commit)
        states[ref] = model.state_dict()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    for name, ref in {"lab/xray": "main", "lab/xray@v1": "v1", f"lab/xray@{'b' * 40}": "v1"}.items():
        with caplog.at_level(logging.INFO):
            caplog.clear()
            body = build_encoder(name)
        assert (f"write lab/xray@{'a' * 40}" in caplog.text) == ("@" not in name)
        load_body(body, name)
        assert all(torch.equal(value, states[ref][key]) for key, value in body.state_dict().items())
    with pytest.raises(CxrError, match=r"No encoder 'lab/xray@v2'"):
        build_encoder("lab/xray@v2")


def test_the_published_dinov2(shared_data: Path) -> None:
    """Meta's ViT-S/14 (Oquab et al. 2023: 21 M parameters); stored as float16, used as float32."""
    folder = shared_data.parent / "weights" / "dinov2_vits14"
    if not folder.is_dir():
        pytest.skip(f"no weights at {folder}")
    model = Dinov2Model.from_pretrained(folder, dtype=torch.float32).eval()
    encoder = feature_encoder(str(folder)).eval()
    assert {parameter.dtype for parameter in encoder.parameters()} == {torch.float32}
    assert round(sum(parameter.numel() for parameter in encoder.parameters()) / 1e6) == 22  # with 1369 positions
    load_body(encoder.body, folder)
    images = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = model(images)
        torch.testing.assert_close(encoder.pooled(images), expected.last_hidden_state[:, 0])
        (tokens,) = encoder(images)
    torch.testing.assert_close(tokens.flatten(2).transpose(1, 2), expected.last_hidden_state[:, 1:])
    assert (encoder.channels, encoder.strides, encoder.dim) == ((384,), (14,), 384)


def test_building_needs_no_network_no_data_and_no_folder(project: Path, tmp_path: Path) -> None:
    """From an empty folder, with sockets closed; and importing the package loads neither MONAI nor transformers."""
    code = (
        "import sys, socket\n"
        "def closed(*_): raise OSError('no network')\n"
        "socket.socket.connect = closed; socket.getaddrinfo = closed\n"
        "import scripts.encoders\n"
        "assert not {'monai', 'transformers'} & set(sys.modules), 'heavy'\n"
        f"vit = scripts.encoders.feature_encoder({ {'model_type': 'vit', **TOKENS}!r})\n"
        "net = scripts.encoders.feature_encoder('resnet10')\n"
        "print(vit.dim, net.dim)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(project)}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["32", "512"]
