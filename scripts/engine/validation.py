"""What validation cannot score is said before the first epoch, and not after a night of training."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ignite.engine import Engine, Events

from ..errors import CxrError, SettingError
from ..metrics.binary import lacking

logger = logging.getLogger(__name__)
# Scores of which nothing is left without a finding that can be scored; a loss or an accuracy is.
NEED_A_FINDING = ("auroc", "auprc", "map_", "ap50", "sensitivity", "dice_positives", "dice_set")


class CheckValidation:
    """Handler for the trainer that names the findings that the validation images cannot score.

    A finding without both kinds of image, a mask that is empty in all of them, a class without a box. If the score that
    chooses the weights is of such a finding, or there is no other, the run ends: it would keep its last weights, and
    patience would have nothing to wait for.

    Args:
        dataset: the validation images (`StudyDataset`), whose items are those of `scripts.tasks.task_items`.
        names: findings, masks or boxes.
        metric: the score that chooses the weights.
        load: transforms that read the masks of an item, where there are any; they are read until each name has one.
        instead: switches for a score that such images have, for the error.
    """

    def __init__(
        self,
        dataset: Any,
        names: Sequence[str],
        metric: str,
        load: Sequence[Callable[[Mapping[str, Any]], Mapping[str, Any]]] = (),
        instead: str = "",
    ) -> None:
        self.dataset, self.names, self.metric = dataset, list(names), metric
        self.load, self.instead = list(load), instead

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
        if self.metric.startswith(NEED_A_FINDING) and (asked or len(missing) == len(self.names)):
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
        if "box" in items[0]:
            present = {int(index) for item in items for index in np.unique(item["label"])}
            found = ["" if index in present else "no box" for index in range(len(self.names))]
        elif self.load:
            found = ["" if there else "no mask that is not empty" for there in self._masks(items)]
        else:
            labels = np.stack([np.asarray(item["label"], dtype=np.float64) for item in items])
            found = [lacking(np.where(column < 0, np.nan, column)) for column in labels.T]
        return {name: reason for name, reason in zip(self.names, found, strict=True) if reason}

    def _masks(self, items: Iterable[Mapping[str, Any]]) -> list[bool]:
        """Whether each name has a mask that is not empty."""
        found = [False] * len(self.names)
        for item in items:
            if all(found):
                break
            label = item["label"]
            references = [label] if isinstance(label, (str, Path)) else label
            if not any(reference and not there for reference, there in zip(references, found, strict=True)):
                continue
            try:
                for transform in self.load:
                    item = transform(item)
            except SettingError:
                raise
            except CxrError:
                continue  # what cannot be read is told of where it is read to be scored
            found = [one or bool((np.asarray(mask) > 0).any()) for one, mask in zip(found, item["label"], strict=True)]
        return found
