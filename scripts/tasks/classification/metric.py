"""A classifier's scores as an Ignite metric of MONAI's evaluator."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor

from ...errors import CxrError
from ...metrics.binary import Mode, all_right, decide, lacking, weighted_areas
from ...metrics.collect import collect_values
from ...metrics.epoch_metrics import EpochFeatures
from ...statistics.draws import Draws
from ...statistics.estimate import mean_over_classes
from .calibration import predicted_probabilities

logger = logging.getLogger(__name__)


class ClassificationScores(EpochFeatures):
    """AUROC of each class (`auroc_<name>`) and their mean, mean average precision and accuracy, each epoch.

    Classes without a positive or a negative are left out of the means, and said once. Accuracy is the share of images
    whose every known label is answered right: by the most probable class, or with several findings at 0.5.

    Args:
        names: classes, in the order of the logits.
        mode: one sigmoid a class (`multilabel`), or softmax.
        main: the score under the metric's own name: `auroc`, `auprc`, `accuracy` or `auroc_<name>`; NaN where it
            cannot be computed.
        key: of the logits in `engine.state.output["pred"]`; None: `pred` itself.
    """

    def __init__(
        self, names: Sequence[str], mode: Mode = "multilabel", main: str = "auroc", key: str | None = None
    ) -> None:
        self.names, self.mode, self.path = list(names), mode, ("pred",) if key is None else ("pred", key)
        self._said = False
        super().__init__(main, ("logits", "labels"))
        allowed = ["auroc", "auprc", "accuracy", *(f"auroc_{name}" for name in self.names)]
        if main not in allowed:
            raise CxrError(f"ClassificationScores(main={main!r}) is not one of its scores: {', '.join(allowed)}.")

    def update(self, output: tuple[Any, Any]) -> None:
        """Keep one batch.

        Args:
            output: (`engine.state.output`, `engine.state.batch`), as dicts or decollated.
        """
        result, batch = output
        logits, labels = collect_values(result, *self.path), collect_values(result, "label")
        if not isinstance(logits, Tensor) or not isinstance(labels, Tensor) or logits.shape != labels.shape:
            shapes = [tuple(x.shape) if isinstance(x, Tensor) else type(x).__name__ for x in (logits, labels)]
            raise CxrError(
                f"{type(self).__name__} needs logits and labels (B, {len(self.names)}), got {shapes[0]}, {shapes[1]}."
            )
        self._parts["logits"].append(logits.float())
        self._parts["labels"].append(labels.float())
        self._parts["image_id"].extend(collect_values(batch, "image_id") or [])

    def score(self, epoch: dict[str, Any]) -> dict[str, float]:
        labels, p = epoch["labels"].double().numpy(), predicted_probabilities(epoch["logits"].numpy(), self.mode)
        reasons = {name: lacking(labels[:, i]) for i, name in enumerate(self.names)}
        absent = [f"{name} ({reason})" for name, reason in reasons.items() if reason]
        if absent and not self._said:
            self._said = True
            logger.warning("Not scored in validation: %s.", ", ".join(absent))
        once = Draws.once(len(labels))
        found = {
            name: weighted_areas(labels[:, i], p[:, i], once) for i, name in enumerate(self.names) if not reasons[name]
        }
        scores = {f"auroc_{name}": float(area[0]) for name, (area, _, _) in found.items()}
        if found:
            for place, score in enumerate(("auroc", "auprc")):
                scores[score] = float(mean_over_classes([areas[place] for areas in found.values()])[0])
        right = all_right(labels, decide(p, self.mode))
        if not np.isnan(right).all():
            scores["accuracy"] = float(np.nanmean(right))
        # A key metric must be there; NaN is never the best.
        return {self.main: float("nan")} | scores
