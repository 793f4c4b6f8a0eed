"""Gradient clipping, which MONAI's trainer does not have."""

from __future__ import annotations

import math

import torch
from ignite.engine import Engine, Events
from monai.engines import IterationEvents

from scripts.errors import CxrError


class ClipGradients:
    """Clips the norm of all gradients together after each backward pass, and stops a run whose loss is no longer a
    number.

    Args:
        parameters: of the module that is trained.
        max_norm: largest norm.
        patience: this many steps in a row without a finite loss end the run. One alone can be the gradient scaler's
            search.
    """

    def __init__(self, network: torch.nn.Module, max_norm: float = 1.0, patience: int = 20) -> None:
        self.network = network
        self.max_norm = max_norm
        self.patience = patience
        self.not_finite = 0

    def attach(self, engine: Engine) -> None:
        """Registers on a `SupervisedTrainer`."""
        engine.add_event_handler(IterationEvents.BACKWARD_COMPLETED, self.clip)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.check)

    def clip(self, engine: Engine) -> None:
        """Clips; under AMP the gradients are unscaled first, which the scaler remembers."""
        scaler = getattr(engine, "scaler", None)
        if scaler is not None:
            scaler.unscale_(engine.optimizer)
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.max_norm)

    def check(self, engine: Engine) -> None:
        """Counts steps whose loss is NaN or infinite."""
        finite = math.isfinite(float(engine.state.output["loss"].detach()))
        self.not_finite = 0 if finite else self.not_finite + 1
        if self.not_finite >= self.patience:
            raise CxrError(
                f"The loss was no finite number for {self.patience} steps (iteration {engine.state.iteration}). "
                "Lower learning_rate, or set precision to float32; --resume True goes on from the last checkpoint."
            )
