"""What validation cannot score is said before the first epoch, and not after a night of training."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from ignite.engine import Engine, Events

from ..errors import CxrError

logger = logging.getLogger(__name__)


class CheckValidation(ABC):
    """Handler for the trainer that names the findings that the validation images cannot score.

    If the score that chooses the weights is of such a finding, or there is no other, the run ends: it would keep its
    last weights, and patience would have nothing to wait for. Each task has its own: what an item must hold differs.

    Args:
        dataset: the validation images (`StudyDataset`), whose items are those of the task.
        names: findings, masks or boxes.
        metric: the score that chooses the weights.
        instead: switches for a score that such images have, for the error.
    """

    # Beginnings of scores of which nothing is left without a finding that can be scored; a loss or an accuracy is.
    need_a_finding: ClassVar[tuple[str, ...]]

    def __init__(self, dataset: Any, names: Sequence[str], metric: str, instead: str = "") -> None:
        self.dataset, self.names, self.metric, self.instead = dataset, list(names), metric, instead

    @abstractmethod
    def lacks(self, items: Sequence[Mapping[str, Any]]) -> list[str]:
        """What the items lack to score each of the names; "" for nothing."""

    def attach(self, engine: Engine) -> None:
        """Registers on the trainer."""
        engine.add_event_handler(Events.STARTED, self.start)

    def start(self, engine: Engine | None = None) -> None:
        """Looks at the validation items.

        Raises:
            CxrError: they cannot score what chooses the weights.
        """
        missing = self.unscored()
        if not missing:
            return
        told = ", ".join(f"{name} ({reason})" for name, reason in missing.items())
        asked = [name for name in missing if self.metric.endswith(f"_{name}")]
        if self.metric.startswith(self.need_a_finding) and (asked or len(missing) == len(self.names)):
            other = self.instead and f", or choose the weights by another score ({self.instead})"
            raise CxrError(
                f"The {len(self.dataset.data)} validation images cannot score {self.metric}, by which the weights are "
                f"chosen: {told}. Move patients to split 'val', correct names{other}."
            )
        logger.warning("The validation images cannot score %s: left out of its means.", told)

    def unscored(self) -> dict[str, str]:
        """Names that the items cannot score, each with the reason."""
        items: Sequence[Mapping[str, Any]] = getattr(self.dataset, "data", ())
        if not items or not all("label" in item for item in items):
            return {}  # a host's own items, whose metrics will say what they lack
        return {name: reason for name, reason in zip(self.names, self.lacks(items), strict=True) if reason}
