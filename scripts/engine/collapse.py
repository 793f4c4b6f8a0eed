"""A run whose latent space collapses says so when it happens, not after the last epoch."""

from __future__ import annotations

import logging

import ignite.distributed as idist
from ignite.engine import Engine, Events

from ..metrics.collapse import first_collapse, why_collapsed
from .history import History
from .state import parts
from .tracked_values import log_values
from .tracking import Tracking

logger = logging.getLogger(__name__)


class WatchCollapse:
    """Handler for the trainer that judges the geometry of each validation (`why_collapsed`).

    Adds the metric `collapsed`, 0 or 1, to the evaluator's, from where it reaches the history and MLflow. At the run's
    first collapse it warns once, with the numbers, and tags the MLflow run with the epoch (`collapsed`: `epoch 3`).
    What came before is read from `History`, so a resumed run goes on judging as if it had not been cut. The training
    goes on: ending it is the user's choice.

    Args:
        evaluator: the validation engine, with `LatentGeometry` among its metrics; without it nothing is judged.
    """

    def __init__(self, evaluator: Engine) -> None:
        self.evaluator = evaluator
        self.reason = ""

    def attach(self, engine: Engine) -> None:
        """Registers on the trainer and, through it, on the evaluator; list it after `History` and `Tracking`."""
        self._trainer = engine
        self.evaluator.add_event_handler(Events.COMPLETED, self.judge)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.tell)

    def judge(self, evaluator: Engine) -> None:
        """Adds `collapsed` to the metrics of the validation that has just ended."""
        metrics = evaluator.state.metrics
        if "effective_rank" not in metrics:
            return
        self.reason = why_collapsed(metrics, self._rows())
        metrics["collapsed"] = float(bool(self.reason))

    def tell(self, engine: Engine) -> None:
        """Warns, and tags the MLflow run, after the first epoch that was collapsed."""
        *earlier, row = self._rows() or [{}]
        if idist.get_rank() != 0 or not row.get("val_collapsed") or first_collapse(earlier) is not None:
            return
        epoch = f"epoch {row['epoch']:.0f}"
        logger.warning(
            "COLLAPSE at %s: %s. The encoder is unlearning; its weights may be worse than those it started from. Lower "
            "the learning rate or start from the defaults of the method (M-FLAG: orthogonality_where projections, "
            "orthogonality_normalize standardize); see Collapse in docs/pretraining.md.",
            epoch,
            self.reason,
        )
        tracking = parts(engine).get("tracking")
        if isinstance(tracking, Tracking) and tracking.run_id is not None:
            log_values(tracking.client, tracking.run_id, tags={"collapsed": epoch})

    def _rows(self) -> list[dict[str, float]]:
        history = parts(self._trainer).get("history")
        return history.rows if isinstance(history, History) else []
