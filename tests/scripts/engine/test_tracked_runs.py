"""A run in MLflow: what becomes of it when the run, or MLflow, ends badly."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ignite.engine import Events
from mlflow import MlflowClient

from scripts.engine.best import KeepBest
from scripts.engine.stop import stop_before_training
from scripts.engine.tracking import Tracking
from scripts.errors import CxrError

Make = Callable[..., SimpleNamespace]


@pytest.fixture
def tracked(small_run: Make, tracking_uri: str) -> Make:
    """`tracked(folder, name)`: the small run with weights and tracking."""

    def make(folder: Path, name: str, uri: str = tracking_uri, **more: Any) -> SimpleNamespace:
        run = small_run(folder, **more)
        best = KeepBest(run.evaluator, "score", run.network, folder / "model.pt")
        tracking = Tracking(run.network, run.evaluator, tracking_uri=uri, experiment_name="tests", run_name=name)
        best.attach(run.trainer)
        tracking.attach(run.trainer)
        return SimpleNamespace(**vars(run), tracking=tracking)

    return make


def statuses(uri: str, name: str) -> list[str]:
    """Of the runs of that name, the oldest first."""
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("tests")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id], order_by=["attributes.start_time ASC"])
    return [run.info.status for run in runs if run.info.run_name == name]


def test_a_run_stopped_before_its_first_step_is_marked_and_leaves_no_weights(
    tmp_path: Path, tracked: Make, tracking_uri: str
) -> None:
    run = tracked(tmp_path, "stopped")

    def work(engine: Any) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        stop_before_training(engine)

    run.trainer.add_event_handler(Events.STARTED, work)
    run.trainer.run()
    assert run.losses == {}
    assert statuses(tracking_uri, "stopped") == ["KILLED"]
    assert not (tmp_path / "model.pt").exists()  # an older run's would be overwritten by untrained ones


def test_a_run_that_was_killed_without_a_word_is_marked_by_the_next(
    tmp_path: Path, tracked: Make, tracking_uri: str
) -> None:
    lost = tracked(tmp_path, "lost")
    lost.tracking.start(lost.trainer)  # and then the machine is gone
    assert statuses(tracking_uri, "lost") == ["RUNNING"]
    tracked(tmp_path, "lost", resume=True).trainer.run()
    assert statuses(tracking_uri, "lost") == ["KILLED", "FINISHED"]
    tracked(tmp_path, "lost", epochs=1).trainer.run()
    assert statuses(tracking_uri, "lost") == ["KILLED", "FINISHED", "FINISHED"]


def test_a_resumed_run_goes_on_as_itself(tmp_path: Path, tracked: Make, tracking_uri: str) -> None:
    run = tracked(tmp_path, "resumed")
    run.trainer.add_event_handler(Events.ITERATION_STARTED(once=5), lambda: os.kill(os.getpid(), signal.SIGTERM))
    run.trainer.run()
    assert statuses(tracking_uri, "resumed") == ["KILLED"]
    tracked(tmp_path, "resumed", resume=True).trainer.run()
    assert statuses(tracking_uri, "resumed") == ["FINISHED"]


def test_a_database_that_goes_away_costs_no_training(
    tmp_path: Path, tracked: Make, tracking_uri: str, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "out").mkdir()
    shutil.copy(tracking_uri.removeprefix("sqlite:///"), tmp_path / "out" / "mlruns.db")
    run = tracked(tmp_path / "models", "gone", f"sqlite:///{tmp_path / 'out' / 'mlruns.db'}")
    run.trainer.add_event_handler(Events.EPOCH_STARTED(once=2), lambda: shutil.rmtree(tmp_path / "out"))
    run.trainer.run()
    assert len(run.losses) == 9
    assert "did not take epoch 2" in caplog.text
    assert str(tmp_path / "out") in caplog.text
    assert "\n" not in next(record.getMessage() for record in caplog.records if "epoch 2" in record.getMessage())


@pytest.mark.parametrize("uri", ["sqlite:///{here}/file/mlruns.db", "sqlite:///{here}/folder", "http://127.0.0.1:9"])
def test_a_place_that_cannot_be_used_is_told_before_the_first_epoch(
    tmp_path: Path, tracked: Make, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    uri = uri.format(here=tmp_path)
    run = tracked(tmp_path / "models", "nowhere", uri)
    with pytest.raises(CxrError, match=r"MLflow cannot be used at .*: give another tracking_uri") as caught:
        run.trainer.run()
    assert uri in str(caught.value)
    assert "\n" not in str(caught.value)
    assert run.losses == {}
