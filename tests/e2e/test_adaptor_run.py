"""`configs/adaptor.json`: features stored once, a run on them, and the tasks on what it leaves."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from transformers import Dinov2Config, Dinov2Model

from scripts.encoders.weights import read_weights

RunConfig = Callable[..., Any]
THIN = {"width": 24, "layers": 1, "heads": 3, "hidden": 48}
FROZEN = "encoder.body.inner.body."


@pytest.fixture(scope="session")
def vit(once: Callable[..., Path]) -> Path:
    """Folder of a tiny vision transformer, as the hub would give it."""

    def make(folder: Path) -> None:
        torch.manual_seed(0)
        config = Dinov2Config(
            hidden_size=16, num_hidden_layers=1, num_attention_heads=2, patch_size=16, image_size=64, mlp_ratio=2
        )
        Dinov2Model(config).save_pretrained(folder)

    return once("vit", make)


@pytest.fixture(scope="session")
def adaptor_overrides(tiny_overrides: dict[str, Any], vit: Path, tmp_path_factory: Any) -> dict[str, Any]:
    gone = ("network_def#widen_factor", "method#hidden_dim", "method#out_dim", "orthogonality_weight")
    return {key: value for key, value in tiny_overrides.items() if key not in gone} | {
        "encoder": str(vit),
        "features_dir": str(tmp_path_factory.mktemp("features")),
        **{f"adaptor_options#{key}": value for key, value in THIN.items()},
    }


@pytest.fixture(scope="session", params=["pooled", "patch"])
def adapted(
    request: pytest.FixtureRequest, once: Callable[..., Path], adaptor_overrides: dict[str, Any], run_config: RunConfig
) -> SimpleNamespace:
    """One run of the Adaptor."""
    tokens = request.param
    root = once(
        f"adapted_{tokens}",
        lambda root: run_config(["train.json", "adaptor.json"], root, **adaptor_overrides, tokens=tokens),
    )
    card = json.loads((root / "models/model.json").read_text())["settings"]
    return SimpleNamespace(root=root, models=root / "models", tokens=tokens, settings=card)


def test_only_the_adaptor_has_changed(adapted: SimpleNamespace, vit: Path) -> None:
    weights, frozen = read_weights(adapted.models / "model.pt"), Dinov2Model.from_pretrained(vit).state_dict()
    inside = {key.removeprefix(FROZEN): value for key, value in weights.items() if key.startswith(FROZEN)}
    assert inside
    assert all(torch.equal(value, frozen[key]) for key, value in inside.items())
    history = json.loads((adapted.root / "runs/pretraining/history.json").read_text())
    assert len(history) == 3
    assert all(np.isfinite(row["loss"]) for row in history)


def test_the_card_holds_what_a_task_needs(adapted: SimpleNamespace, vit: Path) -> None:
    assert adapted.settings["encoder"] == "adaptor"
    assert adapted.settings["encoder_options"] == {
        "body": str(vit), "body_options": {}, "tokens": adapted.tokens, **THIN
    }  # fmt: skip


def test_a_second_run_computes_no_feature(
    adaptor_overrides: dict[str, Any], tmp_path: Path, run_config: RunConfig
) -> None:
    overrides = {**adaptor_overrides, "epochs": 1, "tokens": "patch", "features_dir": str(tmp_path / "features")}
    stamps = []
    for seed in (0, 1):
        run_config(["train.json", "adaptor.json"], tmp_path / str(seed), **overrides, seed=seed)
        stamps.append({path: path.stat().st_mtime_ns for path in (tmp_path / "features").rglob("*.npy")})
    assert stamps[0] == stamps[1]
    features = [np.load(path, mmap_mode="r") for path in stamps[0] if not path.name.endswith(".ids.npy")]
    assert {(array.dtype.name, array.shape[1:]) for array in features} == {("float16", (1 + 16, 16))}


def test_it_is_evaluated_beside_the_frozen_encoder_alone(
    adapted: SimpleNamespace, adaptor_overrides: dict[str, Any], tmp_path: Path, run_config: RunConfig
) -> None:
    gone = ("features_dir",)
    overrides = {key: value for key, value in adaptor_overrides.items() if key not in gone}
    run_config(
        ["train.json", "adaptor.json", "evaluate.json"], tmp_path, **overrides, tokens=adapted.tokens,
        ckpt_dir=str(adapted.models), random_seeds=[0],
    )  # fmt: skip
    found = json.loads((tmp_path / "runs/evaluation/evaluation.json").read_text())
    assert set(found["probe"]) == {"pre-trained", "frozen encoder", "random initialisation 0", "16 x 16 pixels"}
    assert "pre-trained" in found["retrieval"]


@pytest.mark.parametrize(("overlays", "expected"), [(["adaptor"], 128), ([], 128), (["demo"], 64)])
def test_an_evaluation_of_images_is_not_given_a_batch_of_stored_features(
    overlays: list[str], expected: int, project: Path
) -> None:
    parser = ConfigParser()
    parser.read_config([str(project / "configs" / f"{name}.json") for name in ("train", *overlays, "evaluate")])
    assert parser.get_parsed_content("validate#dataloader#batch_size") == expected


@pytest.mark.parametrize("frozen", [True, False])
@pytest.mark.parametrize("task", ["classification", "segmentation", "detection"])
def test_a_task_trains_on_it(
    task: str, frozen: bool, adapted: SimpleNamespace, task_overrides: Callable[[str], dict[str, Any]],
    tmp_path: Path, run_config: RunConfig,
) -> None:  # fmt: skip
    settings = {key: adapted.settings[key] for key in ("encoder", "encoder_options")}
    own = {"epochs": 1, "encoder_weights": str(adapted.models / "model.pt"), "frozen": frozen}
    run_config([f"{task}/train.json"], tmp_path, **{**task_overrides(task), **settings, **own})
    before = read_weights(adapted.models / "model.pt")
    after = read_weights(tmp_path / "models" / task / "model.pt")
    changed = {key for key, value in before.items() if not torch.equal(value, after[key])}
    assert not any(key.startswith(FROZEN) for key in changed)
    assert bool(changed) != frozen


@pytest.mark.parametrize("task", ["segmentation", "detection"])
def test_a_task_trains_on_an_adapted_resnet(
    task: str, task_overrides: Callable[[str], dict[str, Any]], tmp_path: Path, run_config: RunConfig
) -> None:
    options = {"body": "resnet10", "body_options": {"widen_factor": 0.25}, "tokens": "patch", **THIN}
    own = {"encoder": "adaptor", "encoder_options": options, "epochs": 1, "frozen": False}
    run_config([f"{task}/train.json"], tmp_path, **{**task_overrides(task), **own})
    assert any(".adaptor." in key for key in read_weights(tmp_path / "models" / task / "model.pt"))
