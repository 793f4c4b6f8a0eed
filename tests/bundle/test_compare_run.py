"""One real comparison: two methods pre-trained, evaluated and probed by MONAI's workflows, on the prepared demo."""

from __future__ import annotations

import json

import pandas as pd
import pytest
import torch
from mlflow import MlflowClient
from transformers import Dinov2Config, Dinov2Model

from bundle.__main__ import main

SMALL = {
    "pretraining:epochs": 1, "pretraining:batch_size": 4, "pretraining:image_size": 64, "pretraining:num_workers": 0,
    "pretraining:precision": "float32", "pretraining:mflag:network_def#widen_factor": 0.25,
    "pretraining:mflag:method#hidden_dim": 64, "pretraining:mflag:method#out_dim": 32,
    "pretraining:adaptor:adaptor_options": {
        "body": "@encoder", "body_options": "@encoder_options", "tokens": "@tokens", "width": 24, "layers": 1,
        "heads": 3, "hidden": 48,
    },
    "resnet10:encoder_options": {"widen_factor": 0.25}, "epochs": 1, "batch_size": 6, "precision": "float32",
    "num_workers": 0, "names": ["cardiomegaly", "effusion"], "stop_on": "negative_loss",
}  # fmt: skip


@pytest.fixture
def command(prepared, tmp_path, monkeypatch, project):
    """M-FLAG on a thin ResNet-10, the Adaptor on a tiny vision transformer; one epoch."""
    monkeypatch.chdir(project)
    torch.manual_seed(0)
    config = Dinov2Config(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, patch_size=16, image_size=64, mlp_ratio=2
    )
    Dinov2Model(config).save_pretrained(tmp_path / "vit")
    sets = [part for key, value in SMALL.items() for part in ("--set", f"{key}={json.dumps(value)}")]
    return [
        "compare", str(prepared), str(tmp_path / "out"), "--methods", "mflag:resnet10,adaptor:vit",
        "--encoders", f"resnet10,{tmp_path / 'vit'}", "--tasks", "classification", "--modes", "frozen",
        "--fractions", "100", "--seeds", "0", "--resamples", "50", "--devices", "cpu", *sets,
    ]  # fmt: skip


def test_a_real_comparison_pre_trains_measures_evaluates_and_probes(command, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(command) == 0, capsys.readouterr()
    frame = pd.read_csv(out / "comparison.csv").set_index("method")
    for method in ("mflag-resnet10", "adaptor-vit"):
        line = frame.loc[method]
        assert line["steps"] == 5 and line["seconds a step"] > 0 and line["peak memory (MiB)"] > 0
        assert line["frozen parameters, language model"] == 22_713_216  # of all-MiniLM-L6-v2
        assert 0 <= line["zero-shot macro AUROC"] <= 1 and line["R@1 image→report, trivial"] > 0
        assert line["effective rank"] >= 1
    assert frame.loc["adaptor-vit", "trained parameters"] < frame.loc["adaptor-vit", "frozen parameters, image side"]
    probes = next(column for column in frame if column.startswith("classification macro AUROC, frozen, 100 %"))
    assert set(frame[probes].dropna().index) == {
        "random-resnet10", "random-vit", "as_is-vit", "mflag-resnet10", "adaptor-vit"
    }  # fmt: skip
    # The random network of the same seed and the frozen encoder are the same in both stages.
    assert frame.loc[["random-resnet10", "as_is-vit"], "effective rank"].notna().all()
    assert list((out / "features").iterdir())

    parent = json.loads((out / "sweep.json").read_text())["parent_run"]
    client = MlflowClient(f"sqlite:///{out / 'mlruns.db'}")
    runs = client.search_runs([client.get_experiment_by_name("cxr_sweep").experiment_id])
    children = {run.info.run_name: run for run in runs if run.data.tags.get("mlflow.parentRunId") == parent}
    pretraining = children["pre-training mflag resnet10 seed 0"].data.metrics
    assert {"loss", "cost_step_seconds", "val_effective_rank"} <= set(pretraining)
    assert len(children) == 2 + 5

    again = {path: path.stat().st_mtime_ns for path in out.rglob("model.pt")}
    assert main(command) == 0
    assert again == {path: path.stat().st_mtime_ns for path in out.rglob("model.pt")}
