"""What a run looked like, epoch by epoch: numbers in a file, and the pictures drawn from them."""

from __future__ import annotations

import json
import logging
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ignite.distributed as idist
import torch
from ignite.engine import Engine, Events

from ..atomic import write_text_atomically
from .state import add_folder, add_part

logger = logging.getLogger(__name__)


class History:
    """Handler for the trainer that keeps one row an epoch: mean losses, learning rate, validation metrics, seconds.

    The rows are part of the checkpoint, so that a resumed run has one unbroken curve; `<folder>/history.json` has them
    too.

    Args:
        folder: where `history.json` goes.
        loss: the loss module; its `terms` (parts of the last value), if it has them, are averaged as well.
        evaluator: the validation engine, whose metrics join the row.
        optimizer: for the learning rate.
        shown: validation metrics (`val_…`) that stand in the log's line beside the losses; the file has them all.
    """

    def __init__(
        self,
        folder: str | Path,
        loss: torch.nn.Module,
        evaluator: Engine,
        optimizer: torch.optim.Optimizer,
        shown: Sequence[str] = (),
    ) -> None:
        self.path = Path(folder) / "history.json"
        self.loss = loss
        self.evaluator = evaluator
        self.optimizer = optimizer
        self.shown = tuple(shown)
        self.rows: list[dict[str, float]] = []
        # Sums stay tensors on the device: reading a number from a GPU at each step would stall it.
        self._sums: dict[str, Any] = defaultdict(float)
        self._steps = 0

    def attach(self, engine: Engine) -> None:
        """Registers on the trainer; list it after the ValidationHandler, whose metrics it reads."""
        add_part(engine, "history", self)
        add_folder(engine, self.path.parent, "output_dir")
        engine.add_event_handler(Events.EPOCH_STARTED, self.start_epoch)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.add_step)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.add_epoch)
        engine.add_event_handler(Events.COMPLETED, self.close)

    def start_epoch(self, engine: Engine) -> None:
        """Starts the epoch's clock, and forgets the last validation: not every epoch need have one."""
        self._started = time.monotonic()
        self.evaluator.state.metrics = {}

    def add_step(self, engine: Engine) -> None:
        """Adds one step's loss and its terms to the epoch's sums."""
        self._sums["loss"] += engine.state.output["loss"].detach().double()
        for name, value in getattr(self.loss, "terms", {}).items():
            self._sums[name] += value.double()
        self._steps += 1

    def add_epoch(self, engine: Engine) -> None:
        """Closes the epoch's row and writes the file."""
        row = {"epoch": float(engine.state.epoch)}
        row |= {name: float(value) / self._steps for name, value in self._sums.items()}
        row["learning_rate"] = float(self.optimizer.param_groups[0]["lr"])
        row |= {f"val_{k}": float(v) for k, v in self.evaluator.state.metrics.items() if isinstance(v, (int, float))}
        self.rows.append(row)
        numbers = ", ".join(
            f"{k} {v:.4g}" for k, v in row.items() if k in ("loss", *self.shown, *getattr(self.loss, "terms", {}))
        )
        seconds = time.monotonic() - self._started
        logger.info("epoch %d/%d: %s (%.0f s)", engine.state.epoch, engine.state.max_epochs, numbers, seconds)
        self._sums.clear()
        self._steps = 0
        if idist.get_rank() == 0:
            write_text_atomically(json.dumps(self.rows, indent=1), self.path)

    def close(self, engine: Engine) -> None:
        """Says at the end, where it is read, how many images no validation could read (`LeaveOut`)."""
        left_out = max((int(row.get("val_left_out", 0)) for row in self.rows), default=0)
        if left_out and idist.get_rank() == 0:
            logger.warning("%d validation images could not be read and are in no score; see the log above.", left_out)

    def state_dict(self) -> dict[str, Any]:
        """Rows, and the sums of an epoch that is not over."""
        sums = {name: float(value) for name, value in self._sums.items()}
        return {"rows": self.rows, "sums": sums, "steps": self._steps}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Inverse of `state_dict`."""
        self.rows = list(state_dict["rows"])
        self._sums = defaultdict(float, state_dict["sums"])
        self._steps = state_dict["steps"]
