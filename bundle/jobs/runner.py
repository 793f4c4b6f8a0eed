"""What any work does in a worker: its output into its own log, its record last, an error costs itself alone."""

from __future__ import annotations

import gc
import logging
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mlflow import MlflowClient

from scripts.engine.tracked_values import log_values
from scripts.engine.workflow import explain

from .record import Record, begin, write_record
from .unit import Unit

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Tracked:
    """Where the cells' MLflow runs go."""

    tracking_uri: str
    experiment_name: str
    parent_run: str


@dataclass(frozen=True)
class Runner:
    """Callable `(cell, device) -> Record`; a subclass says in `run` what the work is.

    Args:
        tracked: the MLflow run that the cells' runs are children of.
    """

    tracked: Tracked

    def __call__(self, cell: Unit, device: str) -> Record:
        start = time.monotonic()
        logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")
        logging.getLogger("scripts").setLevel(logging.INFO)
        state = begin(cell)
        with _output_to(cell.folder / "log.txt"):
            try:
                record = self.run(cell, device, state)
            except Exception as error:  # whatever it is, the other cells go on
                logger.exception("The cell failed.")
                record = Record("failed", explain(error))
        if record.status == "done":
            checkpoint_of(cell).unlink(missing_ok=True)  # several times the size of the weights
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        return write_record(cell, replace(record, seconds=time.monotonic() - start))

    def run(self, cell: Any, device: str, state: dict[str, Any]) -> Record:
        """Does the work; `state` is what an attempt that was cut off has left."""
        raise NotImplementedError

    def log(self, run_id: str | None, metrics: Mapping[str, float]) -> None:
        """Adds numbers to the MLflow run of a cell."""
        if run_id is None:
            return
        finite = {name: value for name, value in metrics.items() if np.isfinite(value)}
        log_values(MlflowClient(self.tracked.tracking_uri), run_id, finite)


def checkpoint_of(cell: Unit) -> Path:
    """What a cell that was cut off goes on from."""
    return cell.folder / "models" / "checkpoint.pt"


@contextmanager
def _output_to(path: Path) -> Iterator[None]:
    """Sends what this process writes, whichever library writes it, to the end of a file."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [os.dup(number) for number in (1, 2)]
    with path.open("ab") as file:
        for number in (1, 2):
            os.dup2(file.fileno(), number)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, copy in zip((1, 2), kept):
            os.dup2(copy, number)
            os.close(copy)
