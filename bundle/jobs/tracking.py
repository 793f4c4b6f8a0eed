"""The MLflow run that a sweep's cells are children of; the same one when the sweep goes on."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import RunStatus

from scripts.atomic import write_text_atomically
from scripts.engine.tracked_values import log_values

STATE = "sweep.json"


class ParentRun:
    """Opens the parent run, or the one that the output folder knows.

    Args:
        out: output folder; `sweep.json` in it keeps the run's id.
        tracking_uri: of MLflow; None = `OUT/mlruns.db`.
        experiment_name: of the parent and of every cell.
        params: of the sweep.
    """

    def __init__(self, out: Path, tracking_uri: str | None, experiment_name: str, params: dict[str, Any]) -> None:
        # The cells' own runs are opened in other processes at once; the tables are made here, before them.
        self.uri = tracking_uri or f"sqlite:///{out.resolve() / 'mlruns.db'}"
        self.client = MlflowClient(self.uri)
        experiment = self.client.get_experiment_by_name(experiment_name)
        if experiment is None:
            place = None if tracking_uri else (out.resolve() / "mlartifacts").as_uri()
            experiment_id = self.client.create_experiment(experiment_name, artifact_location=place)
        else:
            experiment_id = experiment.experiment_id
        state = out / STATE
        known = self._known(state)
        self.run_id: str = known or self.client.create_run(experiment_id, run_name=out.name).info.run_id
        if known is None:
            write_text_atomically(json.dumps({"parent_run": self.run_id}), state)
        self.client.update_run(self.run_id, status=RunStatus.to_string(RunStatus.RUNNING))
        log_values(self.client, self.run_id, tags={name: str(value)[:5000] for name, value in params.items()})

    def finish(self, frame: pd.DataFrame, files: Sequence[Path], whole: bool) -> None:
        """Logs each setting's headline and the files; `whole` says that no cell is open or has failed."""
        means = {
            (row["task"], row["init"], row["mode"], f"{row['fraction']}pct"): row["value"]
            for row in frame[frame["kind"] == "mean"].to_dict("records")
            if row["value"] is not None and math.isfinite(row["value"])
        }
        log_values(self.client, self.run_id, means)
        for path in files:
            self.client.log_artifact(self.run_id, str(path))
        self.close(RunStatus.FINISHED if whole else RunStatus.FAILED)

    def close(self, status: int = RunStatus.KILLED) -> None:
        """Ends the run."""
        self.client.set_terminated(self.run_id, status=RunStatus.to_string(status))

    def _known(self, state: Path) -> str | None:
        try:
            run_id = json.loads(state.read_text(encoding="utf-8"))["parent_run"]
            return self.client.get_run(run_id).info.run_id
        except (OSError, ValueError, KeyError, mlflow.MlflowException):
            return None
