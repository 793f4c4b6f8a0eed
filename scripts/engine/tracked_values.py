"""Values as MLflow takes them: the one place that names metrics, parameters and tags."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag

from ..names import tracking_key

# By name, or by a tuple of its parts; not spelled out, since the key type of a Mapping is invariant.
Values = Mapping[Any, Any]


def log_values(
    client: MlflowClient,
    run_id: str | None,
    metrics: Values | None = None,
    params: Values | None = None,
    tags: Values | None = None,
    step: int = 0,
) -> None:
    """Logs values under the names that `scripts.names.tracking_key` makes of theirs.

    Args:
        client: of the tracking server.
        run_id: of the run.
        metrics, params, tags: by name; a tuple's parts are a path, which MLflow's page shows as groups.
        step: of the metrics.
    """
    now = int(time.time() * 1000)
    client.log_batch(
        run_id,
        metrics=[Metric(key, float(value), now, step) for key, value in _keyed(metrics).items()],
        params=[Param(key, str(value)) for key, value in _keyed(params).items()],
        tags=[RunTag(key, str(value)) for key, value in _keyed(tags).items()],
    )


def _keyed(values: Values | None) -> dict[str, Any]:
    return {tracking_key(*([key] if isinstance(key, str) else key)): value for key, value in (values or {}).items()}
