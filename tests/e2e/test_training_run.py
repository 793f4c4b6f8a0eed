"""What a finished training leaves: files, weights, and the run in MLflow."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partialmethod
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from mlflow import MlflowClient

from scripts.engine.best import KeepBest
from scripts.errors import CxrError
from scripts.text.language_model import FrozenLanguageModel

RunConfig = Callable[..., Any]
TERMS = {"loss", "alignment", "orthogonality"}
WATCHED = {
    "val_effective_rank",
    "val_mean_offdiag_correlation",
    "val_uniformity",
    "val_alignment",
    "val_image_to_report_p_at_1",
}


@pytest.fixture(scope="module")
def history(trained: SimpleNamespace) -> list[dict[str, float]]:
    return json.loads((trained.output / "history.json").read_text())


def test_the_history_has_losses_rate_and_geometry_of_each_epoch(history: list[dict[str, float]]) -> None:
    assert [row["epoch"] for row in history] == [1, 2, 3]
    for row in history:
        assert row.keys() >= TERMS | WATCHED | {"learning_rate"}
        assert row["loss"] == pytest.approx(row["alignment"] + 0.1 * row["orthogonality"], rel=1e-6)
    # 15 steps: one of warm-up (0.1 * 15), then half a cosine over 14, from 1e-3; read after the epoch's last step.
    assert history[-1]["learning_rate"] == pytest.approx(0, abs=1e-12)
    assert 1e-3 > history[0]["learning_rate"] > history[1]["learning_rate"] > 0


def test_the_weights_are_plain_state_dicts_of_encoder_and_method(trained: SimpleNamespace) -> None:
    encoder = torch.load(trained.models / "model.pt", weights_only=True)
    whole = torch.load(trained.models / "pretraining.pt", weights_only=True)
    assert all(isinstance(value, torch.Tensor) for value in [*encoder.values(), *whole.values()])
    assert {key.split(".")[0] for key in whole} == {"encoder", "image_projector", "text_projector"}
    assert encoder.keys() == {key.removeprefix("encoder.") for key in whole if key.startswith("encoder.")}
    assert all(torch.equal(value, whole[f"encoder.{key}"]) for key, value in encoder.items())


def test_the_weights_tell_which_language_model_they_learned_with(trained: SimpleNamespace) -> None:
    learned = json.loads((trained.models / "pretraining.json").read_text())["settings"]["language_model_identity"]
    assert learned == {**FrozenLanguageModel("minilm").identity(), "dim": 384}


def test_the_checkpoint_holds_no_language_model(trained: SimpleNamespace) -> None:
    state = torch.load(trained.models / "checkpoint.pt", weights_only=True)
    whole = torch.load(trained.models / "pretraining.pt", weights_only=True)
    assert state["network"].keys() == whole.keys()
    assert set(state["parts"]) == {"optimizer", "lr_scheduler", "history", "best", "tracking"}
    parameters = [key for key in whole if "running" not in key and "tracked" not in key]
    assert len(state["parts"]["optimizer"]["state"]) == len(parameters)  # it is trained, and nothing else is


def test_nothing_half_written_is_left(trained: SimpleNamespace) -> None:
    assert {path.name for path in trained.models.iterdir()} == {
        "model.pt", "model.json", "pretraining.pt", "pretraining.json", "checkpoint.pt", "checkpoint.mlflow",
    }  # fmt: skip
    assert not list(trained.root.rglob("*.tmp"))


def test_mlflow_has_the_run(
    trained: SimpleNamespace, history: list[dict[str, float]], runs_named: Callable[..., Any]
) -> None:
    ((run, metrics),) = runs_named(trained.database, "uninterrupted")
    assert run.info.status == "FINISHED"
    for name in TERMS | WATCHED | {"learning_rate"}:
        assert metrics[name] == [(int(row["epoch"]), row[name]) for row in history], name
    whole = torch.load(trained.models / "pretraining.pt", weights_only=True)
    trained_parameters = sum(v.numel() for k, v in whole.items() if "running" not in k and "tracked" not in k)
    assert run.data.params["trained_parameters"] == str(trained_parameters)
    assert run.data.params["network_frozen_parameters"] == "0"
    assert run.data.params["max_epochs"] == "3"
    client = MlflowClient(trained.database)
    artifacts = {file.path for file in client.list_artifacts(run.info.run_id)}
    assert artifacts >= {"history.json", "model.pt"}
    # Beside the database and not in the working directory.
    assert Path(run.info.artifact_uri.removeprefix("file://")).is_relative_to(trained.output)


def test_tracking_on_top_does_not_log_twice(
    tmp_path: Path, run_config: RunConfig, tiny_overrides: dict[str, Any], runs_named: Callable[..., Any]
) -> None:
    run_config(["train.json"], tmp_path, **tiny_overrides, tracking="mlflow", run_name="on top")
    ((run, metrics),) = runs_named(tiny_overrides["tracking_uri"], "on top")
    assert run.info.status == "FINISHED"
    assert metrics.keys() >= TERMS | WATCHED
    for name, pairs in metrics.items():
        assert [step for step, _ in pairs] == [1, 2, 3], name


def test_tracking_on_top_opens_no_second_run_and_touches_no_other(
    tmp_path: Path, run_config: RunConfig, tiny_overrides: dict[str, Any]
) -> None:
    """MONAI's handler, unnamed, would go on with any run that is not finished."""
    client = MlflowClient(tiny_overrides["tracking_uri"])
    experiment = client.create_experiment("unnamed")
    other = client.create_run(experiment)
    run_config(
        ["train.json"], tmp_path, **tiny_overrides | {"epochs": 1}, tracking="mlflow", experiment_name="unnamed"
    )  # fmt: skip
    runs = {run.info.run_id: run for run in client.search_runs([experiment])}
    assert len(runs) == 2
    assert runs[other.info.run_id].data.params == {}
    assert runs[other.info.run_id].info.status == "RUNNING"


def test_a_run_that_fails_is_marked_so(
    tmp_path: Path, run_config: RunConfig, tiny_overrides: dict[str, Any], runs_named: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    def full(value: Any, path: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(RuntimeError) as caught:
        run_config(["train.json"], tmp_path, **tiny_overrides, run_name="no space")
    assert isinstance(caught.value.__cause__, CxrError)
    assert "no space left on the disk" in str(caught.value.__cause__)
    ((run, _),) = runs_named(tiny_overrides["tracking_uri"], "no space")
    assert run.info.status == "FAILED"


@pytest.mark.parametrize("seed", [0, 1])
def test_the_same_seed_gives_the_same_run(
    tmp_path: Path, run_config: RunConfig, tiny_overrides: dict[str, Any], history: list[dict[str, float]], seed: int
) -> None:
    run_config(["train.json"], tmp_path, **tiny_overrides | {"seed": seed, "num_workers": 2 if seed == 0 else 0})
    again = json.loads((tmp_path / "runs/pretraining/history.json").read_text())
    assert (again == history) == (seed == 0)  # the number of workers does not matter


def test_early_end_is_a_finished_run(
    tmp_path: Path, run_config: RunConfig, tiny_overrides: dict[str, Any], runs_named: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    # min_delta: more than a reciprocal rank can win
    monkeypatch.setattr(KeepBest, "__init__", partialmethod(KeepBest.__init__, min_delta=2.0))
    run_config(["train.json"], tmp_path, **tiny_overrides | {"epochs": 9}, patience=1, run_name="patience")
    ((run, metrics),) = runs_named(tiny_overrides["tracking_uri"], "patience")
    assert [step for step, _ in metrics["loss"]] == [1, 2]
    assert run.info.status == "FINISHED"
