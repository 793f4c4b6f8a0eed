"""Images of a validation or an evaluation that cannot be read are in no score, and are counted."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import ignite.distributed as idist
import torch
from ignite.engine import Engine, Events
from monai.engines import IterationEvents

from ..data.sampling import StudyDataset
from ..metrics.collect import collect_values

logger = logging.getLogger(__name__)


class LeaveOut:
    """Handler for an evaluator whose `StudyDataset` has `unreadable="leave_out"`: takes the rows of unreadable images
    out of `engine.state.batch` and `engine.state.output` before any metric or report sees them.

    The rank that has them still runs the network, so that no other one waits. Each is told once, by its row in the
    table; their number is the metric `left_out` (absent when there are none), and stands in the log at the end.

    Args:
        dataset: of the evaluator; its `left_out` is filled.
        name: of the pass, for the log.
    """

    def __init__(self, dataset: StudyDataset, name: str = "validation") -> None:
        self.dataset, self.name = dataset, name
        self._named: set[int] = set()
        self._told = 0

    def attach(self, engine: Engine) -> None:
        """Registers on the evaluator; list it before what counts on whole epochs."""
        engine.add_event_handler(IterationEvents.MODEL_COMPLETED, self.drop)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.count)

    def drop(self, engine: Engine) -> None:
        """Takes the unreadable images out of a batch."""
        errors, places = (collect_values(engine.state.batch, key) for key in ("error", "place"))
        if errors is None or places is None:
            return
        kept = []
        for i, (error, place) in enumerate(zip(errors, map(int, places), strict=True)):
            if error and place not in self._named:
                self._named.add(place)
                self.dataset.left_out.setdefault(place, error)
                row = self.dataset.row(place)
                logger.warning("Row %d is unreadable and left out of %s: %s", row, self.name, error)
            if place not in self.dataset.left_out:
                kept.append(i)
        if len(kept) < len(errors):
            engine.state.batch = take(engine.state.batch, kept, len(errors))
            engine.state.output = take(engine.state.output, kept, len(errors))

    def count(self, engine: Engine) -> None:
        """Adds the number of all ranks to the metrics, and tells it when it has changed."""
        if idist.get_world_size() > 1:
            for found in idist.all_gather(self.dataset.left_out):  # type: ignore[union-attr]
                self.dataset.left_out |= found
        if not self.dataset.left_out:
            return
        engine.state.metrics["left_out"] = float(len(self.dataset.left_out))
        if len(self.dataset.left_out) > self._told and idist.get_rank() == 0:
            self._told = len(self.dataset.left_out)
            logger.warning("%s: %s", self.name.capitalize(), left_out_note(self.dataset))


def left_out_note(dataset: Any) -> str:
    """How many images of a `StudyDataset`, or of a host's own data set, are in no score, and which; "" when all are."""
    left_out = getattr(dataset, "left_out", None)
    if not left_out:
        return ""
    rows = sorted(map(dataset.row, left_out))
    named = ", ".join(map(str, rows[:10])) + (", …" if len(rows) > 10 else "")
    return f"{len(rows)} of {len(dataset)} images cannot be read and are in no score: rows {named} of the table."


def take(values: Any, kept: Sequence[int], count: int) -> Any:
    """Rows `kept` of a batch of `count` images: of its tensors and lists, through dicts and a list of items."""
    if isinstance(values, dict):
        return {key: take(value, kept, count) for key, value in values.items()}
    if isinstance(values, torch.Tensor):
        # A plain tensor: who drops rows of a MetaTensor has to drop its images' meta data too, and nobody reads them.
        return values.as_subclass(torch.Tensor)[list(kept)] if values.ndim and len(values) == count else values
    if isinstance(values, list | tuple) and len(values) == count:
        return type(values)([values[i] for i in kept])
    return values
