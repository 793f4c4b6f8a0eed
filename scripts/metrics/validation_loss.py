"""Any task's loss as an Ignite metric of MONAI's evaluator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ignite.distributed as idist
import torch
from ignite.engine import Engine
from ignite.metrics import Metric

from ..errors import CxrError
from .collect import collect_values


class ValidationLoss(Metric):
    """The training loss on the validation images: `loss` in `engine.state.metrics` (a history's `val_loss`), and its
    negative under the metric's own name, for what looks for the largest.

    The mean over the batches of all ranks, weighted by their images.

    Args:
        loss: called with the output's `pred` and `label`.
    """

    def __init__(self, loss: torch.nn.Module) -> None:
        self.loss = loss
        super().__init__()

    def reset(self) -> None:
        self._sum, self._images = 0.0, 0

    def iteration_completed(self, engine: Engine) -> None:
        self.update(engine.state.output)

    @torch.no_grad()
    def update(self, output: Any) -> None:
        """Add one batch: `engine.state.output`, a dict or decollated."""
        # Not collect_values where it can be helped: it takes masks of a whole batch off the GPU.
        pred, label = (
            output[key] if isinstance(output, Mapping) else collect_values(output, key) for key in ("pred", "label")
        )
        if len(pred):  # no image of the batch could be read
            self._sum += float(self.loss(pred, label)) * len(pred)
            self._images += len(pred)

    def compute(self) -> float:
        """The loss; every rank gets the same."""
        total = torch.tensor([self._sum, float(self._images)], dtype=torch.float64)
        summed = idist.all_reduce(total)
        if not summed[1] > 0:  # type: ignore[index]
            raise CxrError("ValidationLoss saw no image: the validation list is empty.")
        return float(summed[0] / summed[1])  # type: ignore[index,operator]

    def completed(self, engine: Engine, name: str) -> None:
        value = self.compute()
        engine.state.metrics |= {"loss": value, name: -value}
