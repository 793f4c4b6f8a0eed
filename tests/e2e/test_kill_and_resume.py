"""The plain command, killed without warning, then told to stop, then left alone: one unbroken run."""

from __future__ import annotations

import json
import random
import signal
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from mlflow import MlflowClient

from tests.processes import Command

AT_A_SAVE = str(Path(__file__).with_name("at_a_save.py"))


def read(path: Path) -> dict[str, Any]:
    return torch.load(path, weights_only=True)


def test_kill_then_sigterm_then_the_rest(
    tmp_path: Path, trained: SimpleNamespace, tiny_overrides: dict[str, Any], run_config: Callable[..., Any],
    monai_command: Callable[..., Command], runs_named: Callable[..., Any],
) -> None:  # fmt: skip
    checkpoint, name = tmp_path / "models" / "checkpoint.pt", "killed"
    common = tiny_overrides | {"bundle_root": tmp_path, "run_name": name, "config_file": "configs/train.json"}

    # 1. Killed at a random step: saved after every one, so mostly within an epoch, and half of the times within a save.
    every = {"save#every_minutes": 0}
    when = (str(random.randint(2, 8)), random.choice(["before", "after"]))
    killed = monai_command("run", "training", launcher=(AT_A_SAVE, *when, "SIGKILL", "own"), overrides=common | every)
    told = killed.communicate()[0]
    assert killed.returncode == -signal.SIGKILL, told
    reached, run_id = read(checkpoint)["iteration"], read(checkpoint)["parts"]["tracking"]["run_id"]
    assert reached == int(when[0]) - (when[1] == "before")

    # 2. Resumed, and stopped as a scheduler stops.
    stopped = monai_command(
        "run",
        "training",
        launcher=(AT_A_SAVE, "2", "after", "SIGTERM", "own"),
        overrides=common | every | {"resume": True},
    )
    told = stopped.communicate()[0]
    assert stopped.returncode == 0, told
    assert f"Resumed {checkpoint} at epoch {reached // 5}, iteration {reached}." in told
    state = read(checkpoint)
    assert reached < state["iteration"] < 15
    assert state["parts"]["tracking"]["run_id"] == run_id
    assert "go on with --resume True" in told
    assert runs_named(tiny_overrides["tracking_uri"], name)[0][0].info.status == "KILLED"

    # 3. Resumed in a host process, to the end.
    run_config(["train.json"], tmp_path, **tiny_overrides, resume=True, run_name=name)
    whole = json.loads((trained.output / "history.json").read_text())
    assert json.loads((tmp_path / "runs/pretraining/history.json").read_text()) == whole
    for file in ("model.pt", "pretraining.pt"):
        expected, found = read(trained.models / file), read(tmp_path / "models" / file)
        assert all(torch.equal(found[key], value) for key, value in expected.items())

    # One run in MLflow, each epoch once.
    ((run, metrics),) = runs_named(tiny_overrides["tracking_uri"], name)
    assert (run.info.run_id, run.info.status) == (run_id, "FINISHED")
    for metric, pairs in metrics.items():
        assert pairs == [(int(row["epoch"]), row[metric]) for row in whole], metric
    artifacts = {file.path for file in MlflowClient(tiny_overrides["tracking_uri"]).list_artifacts(run_id)}
    assert "config.json" in artifacts  # of the command line


def test_an_epoch_that_was_logged_but_not_saved_is_not_logged_twice(
    tmp_path: Path, tiny_overrides: dict[str, Any], run_config: Callable[..., Any], runs_named: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    from scripts.engine.state import ResumeAndSave

    real, saves = ResumeAndSave.save, []

    def save(self: ResumeAndSave, engine: Any) -> None:
        saves.append(engine.state.epoch)
        if len(saves) == 2:
            raise KeyboardInterrupt  # the second epoch is in MLflow, and not in the checkpoint
        real(self, engine)

    monkeypatch.setattr(ResumeAndSave, "save", save)
    with pytest.raises(KeyboardInterrupt):
        run_config(["train.json"], tmp_path, **tiny_overrides, run_name="between")
    assert runs_named(tiny_overrides["tracking_uri"], "between")[0][0].info.status == "KILLED"
    run_config(["train.json"], tmp_path, **tiny_overrides, run_name="between", resume=True)
    ((run, metrics),) = runs_named(tiny_overrides["tracking_uri"], "between")
    assert saves == [1, 2, 2, 3]
    assert run.info.status == "FINISHED"
    assert all([step for step, _ in pairs] == [1, 2, 3] for pairs in metrics.values())


def test_a_database_that_is_gone_gives_a_new_run(
    tmp_path: Path, tiny_overrides: dict[str, Any], run_config: Callable[..., Any], runs_named: Callable[..., Any],
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    run_config(["train.json"], tmp_path, **tiny_overrides | {"epochs": 1}, run_name="moved")
    state = read(tmp_path / "models" / "checkpoint.pt")
    state["parts"]["tracking"]["run_id"] = "0" * 32
    torch.save(state, tmp_path / "models" / "checkpoint.pt")
    run_config(["train.json"], tmp_path, **tiny_overrides | {"epochs": 2}, run_name="moved", resume=True)
    assert "not in this database" in caplog.text
    steps = [
        [step for step, _ in metrics["loss"]] for _, metrics in runs_named(tiny_overrides["tracking_uri"], "moved")
    ]
    assert sorted(steps) == [[1], [2]]
