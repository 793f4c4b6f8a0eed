"""Pre-training, evaluation and embedding of encoders that are no stock ResNet, through `configs/encoder.json`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from transformers import ViTConfig, ViTModel

from scripts.encoders.factory import load_body
from scripts.encoders.pooled import PooledEncoder
from scripts.encoders.weights import load_weights

RunConfig = Callable[..., Any]
ENCODERS = {
    "densenet": ("densenet121", {"growth_rate": 4, "init_features": 8}),
    "transformer": ("{folder}", {}),
    "published": ("{published}", {}),
}


@pytest.fixture
def encoder(request: pytest.FixtureRequest, tmp_path: Path, project: Path) -> dict[str, Any]:
    """Switches of one of `ENCODERS`; a folder's own weights are where it starts from."""
    name, options = ENCODERS[request.param]
    published = project.parent / "shared" / "weights" / "dinov2_vits14"
    if request.param == "published" and not published.is_dir():
        pytest.skip(f"no weights at {published}")
    if request.param == "transformer":
        torch.manual_seed(0)
        sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16}
        ViTModel(ViTConfig(**sizes, image_size=64, patch_size=16)).save_pretrained(tmp_path / "vit")
    name = name.format(folder=tmp_path / "vit", published=published)
    return {"encoder": name, "encoder_options": options, "encoder_weights": name if "/" in name else "random"}


@pytest.mark.parametrize("encoder", ENCODERS, indirect=True)
def test_an_encoder_is_pretrained_embedded_and_goes_into_a_task(
    encoder: dict[str, Any], tiny_overrides: dict[str, Any], demo_folder: Path, run_config: RunConfig, tmp_path: Path
) -> None:
    own = {key: value for key, value in tiny_overrides.items() if key != "network_def#widen_factor"}
    run = run_config(["train.json", "encoder.json"], tmp_path, **{**own, **encoder, "epochs": 1, "learning_rate": 1e-4})
    card = json.loads((tmp_path / "models" / "model.json").read_text())["settings"]
    assert {key: card[key] for key in ("encoder", "encoder_options")} == {k: encoder[k] for k in card if k in encoder}
    history = json.loads((tmp_path / "runs" / "pretraining" / "history.json").read_text())
    assert len(history) == 1
    assert all(value == value for value in history[0].values() if isinstance(value, float))

    # What was trained is another encoder than it started from, and every tensor of it is in the file.
    start, trained = (PooledEncoder(encoder["encoder"], encoder["encoder_options"]) for _ in range(2))
    load_weights(trained, tmp_path / "models" / "model.pt")
    if encoder["encoder_weights"] != "random":
        load_body(start.encoder.body, encoder["encoder_weights"])
        learned = [p for p in trained.parameters() if p.requires_grad]
        before = [p for p in start.parameters() if p.requires_grad]
        # A learning rate of 1e-4 in five steps moves a weight by less than five hundredths: it is the start, moved.
        assert all((a - b).abs().max() < 0.01 for a, b in zip(learned, before, strict=True))
        assert any(not torch.equal(a, b) for a, b in zip(learned, before, strict=True))
    network = run.parser.get_parsed_content("network_def")
    assert isinstance(network, PooledEncoder)

    # A task takes the file as it takes a ResNet's.
    body = PooledEncoder(encoder["encoder"], encoder["encoder_options"]).encoder.body
    load_body(body, tmp_path / "models" / "model.pt")
    assert all(torch.equal(v, trained.encoder.body.state_dict()[k]) for k, v in body.state_dict().items())

    settings = {key: encoder[key] for key in ("encoder", "encoder_options")}
    keys = ("image_size", "batch_size", "num_workers")
    run_config(
        ["inference.json", "encoder.json"], tmp_path, kind="infer", dataset_dir=str(demo_folder / "dicom"),
        **settings, **{key: own[key] for key in keys},
    )  # fmt: skip
    table = pd.read_parquet(tmp_path / "runs" / "inference" / "embeddings.parquet")
    assert len(table) > 30
    assert len(table["embedding"].iloc[0]) == trained.dim


def test_the_published_transformer_is_evaluated(
    tiny_overrides: dict[str, Any], run_config: RunConfig, tmp_path: Path, project: Path
) -> None:
    published = project.parent / "shared" / "weights" / "dinov2_vits14"
    if not published.is_dir():
        pytest.skip(f"no weights at {published}")
    own = {key: value for key, value in tiny_overrides.items() if key != "network_def#widen_factor"}
    own |= {"encoder": str(published), "encoder_weights": str(published), "learning_rate": 1e-5}
    run_config(["train.json", "encoder.json"], tmp_path, **{**own, "epochs": 1})
    run_config(["train.json", "encoder.json", "evaluate.json"], tmp_path, **own, random_seeds=[0])
    found = json.loads((tmp_path / "runs" / "evaluation" / "evaluation.json").read_text())
    members = ["pre-trained", "random initialisation 0", "16 x 16 pixels"]
    assert [name for name in found["geometry"] if name in members] == members
    assert found["retrieval"]["pre-trained"]
