"""Segmentation scores as an Ignite metric: `key_val_metric` of MONAI's evaluator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...errors import CxrError
from ...metrics.collect import collect_values
from ...metrics.epoch_metrics import EpochFeatures
from ...statistics.draws import Draws
from ...statistics.estimate import mean_over_classes
from .dice import DICE, Counts, mask_counts, weighted_dice


class SegmentationScores(EpochFeatures):
    """Dice of each epoch over all ranks, from counts that are taken on the network's device.

    Scores: `dice_positives`, `dice_per_image`, `dice_all_empty` and `dice_set` (`weighted_dice`), macro over the masks
    that can be scored, and of each mask as `dice_positives_<name>`. A mask without a positive image, or a set without
    any, has no such score. `main` stands under the metric's own name.

    The engine's output holds `pred`, logits `(B, K, H, W)`, and `label`, masks of the same shape (-1 unknown), as dict
    or decollated.

    Args:
        names: of the K masks.
        main: the score under the metric's own name.
    """

    def __init__(self, names: Sequence[str], main: str = "dice_positives") -> None:
        self.names = list(names)
        super().__init__(main, ("counts",))

    def update(self, output: tuple[Any, Any]) -> None:
        """Keep the counts of one batch of (`engine.state.output`, `engine.state.batch`)."""
        result, batch = output
        self._parts["counts"].append(mask_counts(stacked(result, "pred"), stacked(result, "label")))
        self._parts["image_id"].extend(collect_values(batch, "image_id") or [])

    def score(self, epoch: dict[str, Any]) -> dict[str, float]:
        table: Tensor = epoch["counts"]
        if table.shape[1] != len(self.names):
            raise CxrError(f"The network gives {table.shape[1]} masks for the {len(self.names)} names of this metric.")
        everyone = Draws.once(len(table))
        own = {
            name: weighted_dice(Counts(*table[:, k].T.numpy()), everyone) for k, name in enumerate(self.names)
        }  # fmt: skip
        scores = {kind: float(mean_over_classes([one[kind] for one in own.values()])[0]) for kind in DICE}
        scores |= {f"{kind}_{name}": float(one[kind][0]) for name, one in own.items() for kind in DICE}
        if np.isnan(scores.get(self.main, 0.0)):
            raise CxrError(
                f"{self.main} cannot be scored: no image of this set has a mask of {', '.join(self.names)}. "
                "Check the split; or say --validate#key_metric#dice_positives#main dice_per_image "
                "--stop_on dice_per_image."
            )
        return {name: value for name, value in scores.items() if not np.isnan(value)}


def stacked(output: Any, key: str) -> Tensor:
    """`output[key]`, or the stack of it over a decollated output, where it is: on the network's device."""
    value = output[key] if isinstance(output, Mapping) else torch.stack([item[key] for item in output])
    return value.as_subclass(Tensor)
