"""Segmentation, as the sweep, the packs and the benchmarks see it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd
import torch
from torch import Tensor

from ...data.masks import LoadMasksd
from ...statistics.draws import Draws, Floats
from ..scored_images import split_table
from ..task import Published, Task
from .dice import weighted_positives_dice
from .items import mask_names
from .validation import filled_masks


class Segmentation(Task):
    """Where a finding is, pixel by pixel; the table's columns are `tp_<name>`, `pred_<name>` and `true_<name>`."""

    name = "segmentation"
    headline = "Dice over positives"
    trivial = "all-empty masks"
    published: ClassVar[Published] = {"Dice": {"dice_per_image": ""}, "mDice": {}}
    tags = "Segmentation"
    output = (
        "`pred`: one map of logits a name, float32, of the input's size, in this order: {names}. `postprocessing` "
        "makes probabilities of them."
    )
    files = (
        "`predictions.json` and, by `--format`, PNG, run lengths or NIfTI, in the pixels of the original image, with "
        "areas"
    )

    def trivial_answer(self, table: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
        empty = {f"{count}_{name}": 0.0 for name in names for count in ("tp", "pred")}
        return split_table(table).scored.assign(**empty)

    def unscored(self, table: pd.DataFrame, names: Sequence[str]) -> dict[str, str]:
        return {name: "no positive" for name in names if not (table[f"true_{name}"].to_numpy(dtype=float) > 0).any()}

    def target_names(self, source: str | Path) -> list[str]:
        return mask_names(source)

    def positives(self, items: Sequence[Mapping[str, Any]], names: Sequence[str], image_size: int) -> dict[str, int]:
        """Known masks of each name, or 0 when all of them are empty; masks are read until one is not."""
        known = [sum(bool(item["label"][index]) for item in items) for index in range(len(names))]
        filled = filled_masks(items, len(names), [LoadMasksd(keys="label", size=image_size)])
        return {name: count * there for name, count, there in zip(names, known, filled, strict=True)}

    def random_targets(self, batch: int, classes: int, image_size: int) -> Tensor:
        return torch.randint(0, 2, (batch, classes, image_size, image_size)).float()

    def _class_scores(self, table: pd.DataFrame, names: Sequence[str], draws: Draws) -> Floats:
        return weighted_positives_dice(table, names, draws)


SEGMENTATION = Segmentation()
