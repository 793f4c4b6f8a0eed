"""The handler that says when a run's latent space collapses."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from ignite.engine import Engine, Events
from mlflow import MlflowClient
from torch import nn

from scripts.engine.collapse import WatchCollapse
from scripts.engine.history import History
from scripts.engine.tracking import Tracking
from scripts.metrics.epoch_metrics import LatentGeometry

HEALTHY = torch.randn(40, 64, generator=torch.Generator().manual_seed(0))
LINE = HEALTHY[:, :1] * torch.linspace(-1, 1, 64)


def run(
    folder: Path, uri: str, epochs: list[torch.Tensor | None], rows: list[dict[str, float]] | None = None
) -> SimpleNamespace:
    """A run whose validation features of each epoch are these; None = no validation after this epoch."""
    evaluator = Engine(lambda engine, batch: {"pred": {"image_features": batch["image"]}})
    LatentGeometry().attach(evaluator, "geometry")
    loss, weight = nn.Module(), torch.zeros(1, requires_grad=True)
    trainer = Engine(lambda engine, batch: {"loss": torch.zeros(())})

    def validate(engine: Engine) -> None:
        features = epochs[engine.state.epoch - 1]
        if features is not None:
            evaluator.run([{"image": features}])

    trainer.add_event_handler(Events.EPOCH_COMPLETED, validate)
    history = History(folder, loss, evaluator, torch.optim.SGD([weight]))
    history.rows = list(rows or [])
    tracking = Tracking(nn.Linear(1, 1), evaluator, tracking_uri=uri)
    for handler in (history, tracking, WatchCollapse(evaluator)):
        handler.attach(trainer)
    trainer.run([0], max_epochs=len(epochs))
    client: Any = MlflowClient(uri)
    return SimpleNamespace(
        rows=json.loads((folder / "history.json").read_text()), mlflow=client.get_run(tracking.run_id), client=client
    )


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING and "COLLAPSE" in r.getMessage()]


def test_a_collapse_is_told_once_with_its_numbers(
    tmp_path: Path, tracking_uri: str, caplog: pytest.LogCaptureFixture
) -> None:
    done = run(tmp_path, tracking_uri, [HEALTHY, LINE, None, LINE])
    assert [row.get("val_collapsed") for row in done.rows] == [0, 1, None, 1]
    (warning,) = warnings(caplog)
    assert warning.startswith("COLLAPSE at epoch 2: the features use few directions: effective rank 1.0 of at most 39")
    assert done.mlflow.data.tags["collapsed"] == "epoch 2"
    points = done.client.get_metric_history(done.mlflow.info.run_id, "val_collapsed")
    assert [(point.step, point.value) for point in points] == [(1, 0), (2, 1), (4, 1)]


def test_a_healthy_run_says_nothing(tmp_path: Path, tracking_uri: str, caplog: pytest.LogCaptureFixture) -> None:
    done = run(tmp_path, tracking_uri, [HEALTHY, HEALTHY])
    assert [row["val_collapsed"] for row in done.rows] == [0, 0]
    assert warnings(caplog) == []
    assert "collapsed" not in done.mlflow.data.tags


def test_what_was_before_a_resume_counts(tmp_path: Path, tracking_uri: str, caplog: pytest.LogCaptureFixture) -> None:
    fewer = HEALTHY[:, :12]  # 12 of the 39 directions, and no fewer than the network itself has
    assert run(tmp_path, tracking_uri, [fewer]).rows[-1]["val_collapsed"] == 0
    before = {"epoch": 0.0, "val_effective_rank": 36.0, "val_collapsed": 0.0}
    assert run(tmp_path, tracking_uri, [fewer], [before]).rows[-1]["val_collapsed"] == 1
    (warning,) = warnings(caplog)
    assert "has fallen to" in warning and "from 36.0" in warning
    # One that was told before the cut is not told again.
    run(tmp_path, tracking_uri, [LINE], [before | {"val_collapsed": 1.0}])
    assert len(warnings(caplog)) == 1
