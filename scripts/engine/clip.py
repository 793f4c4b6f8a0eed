"""Gradient clipping, which MONAI's trainer does not have."""

from __future__ import annotations

from typing import Any

import torch
from ignite.engine import Engine, Events
from monai.engines import IterationEvents

from ..errors import CxrError


class ClipGradients:
    """Clips the norm of all gradients together after each backward pass, and stops a run whose loss is no longer a
    number.

    Args:
        network: the module that is trained.
        max_norm: largest norm.
        patience: this many steps in a row without a finite loss end the run. One alone can be the gradient scaler's
            search. The count stays on the device, and is looked at every `patience` steps and after each epoch, before
            the epoch is saved: to read it at each step would stall a GPU.
    """

    def __init__(self, network: torch.nn.Module, max_norm: float = 1.0, patience: int = 20) -> None:
        self.network = network
        self.max_norm = max_norm
        self.patience = patience
        self._row: Any = 0
        self._lost: Any = False

    def attach(self, engine: Engine) -> None:
        """Registers on a `SupervisedTrainer`."""
        engine.add_event_handler(IterationEvents.BACKWARD_COMPLETED, self.clip)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.count)
        engine.add_event_handler(Events.ITERATION_COMPLETED(every=self.patience), self.check)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.check)

    def clip(self, engine: Engine) -> None:
        """Clips; under AMP the gradients are unscaled first, which the scaler remembers."""
        scaler = getattr(engine, "scaler", None)
        if scaler is not None:
            scaler.unscale_(engine.optimizer)
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.max_norm)

    def count(self, engine: Engine) -> None:
        """Counts steps in a row whose loss is NaN or infinite, without waiting for the device."""
        finite = engine.state.output["loss"].detach().isfinite().all()
        self._row = torch.where(finite, 0, self._row + 1)
        self._lost = (self._row >= self.patience) | self._lost

    def check(self, engine: Engine) -> None:
        """Ends the run if there was such a row."""
        if self._lost:
            self._row, self._lost = 0, False
            raise CxrError(
                f"The loss was no finite number for {self.patience} steps in a row (seen at iteration "
                f"{engine.state.iteration}). "
                "Lower learning_rate, or set precision to float32; --resume True goes on from the last checkpoint."
            )
