"""An evaluation as a run of MLflow: its scores, and the files and pictures of its report."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from mlflow.entities import RunStatus
from monai.handlers import MLFlowHandler

from .tracked_values import log_values
from .tracking import child_tags, is_local, log_files, make_folder


class TrackEvaluation:
    """Writes one finished run an evaluation; the report of the task calls `log` on rank 0.

    Args:
        tracking_uri, experiment_name, run_name: as in `Tracking`; the run's name gets `evaluation` added.
        parent_run: id of the run that this one is a child of.
    """

    def __init__(
        self,
        tracking_uri: str | None = None,
        experiment_name: str = "cxr_vlp",
        run_name: str | None = None,
        parent_run: str | None = None,
    ) -> None:
        self.place = {"tracking_uri": tracking_uri, "experiment_name": str(experiment_name)}
        self.name = "evaluation" if run_name is None else f"{run_name} evaluation"
        self.tags = child_tags(parent_run)

    def log(self, metrics: Mapping[str, float], folder: Path) -> None:
        """Logs the finite `metrics` and what lies in `folder`.

        A server gets the numbers and tables; what shows patients (pictures of cases, the page that holds them) or lists
        images (predictions) stays on this machine.
        """
        make_folder(self.place["tracking_uri"])
        place = MLFlowHandler(**self.place)
        # The part of MONAI's handler that finds or makes the experiment and its folder of artifacts.
        place._set_experiment()
        assert place.experiment is not None
        run_id = place.client.create_run(place.experiment.experiment_id, run_name=self.name, tags=self.tags).info.run_id
        log_values(place.client, run_id, {name: value for name, value in metrics.items() if math.isfinite(value)})
        local = is_local(place.client.tracking_uri)
        files = [path for path in sorted(folder.iterdir()) if local or path.suffix in (".csv", ".md")]
        # Not MLflow's own files, which by default lie beside the report.
        log_files(place.client, run_id, [path for path in files if not path.name.startswith((".", "mlruns"))])
        place.client.set_terminated(run_id, status=RunStatus.to_string(RunStatus.FINISHED))
