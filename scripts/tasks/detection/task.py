"""Detection, as the sweep, the packs and the benchmarks see it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd
import torch
from torch import Tensor

from ...statistics.draws import Draws, Floats
from ..scored_images import split_table
from ..task import Published, Task
from .average_precision import boxes_of_names, published_images, weighted_map
from .items import box_names
from .template_boxes import with_templates
from .validation import images_with_box


class Detection(Task):
    """Where a finding is, as boxes; the table's columns are those of `scripts.tasks.detection.average_precision`."""

    name = "detection"
    headline = "mAP .40:.75"
    trivial = "the same boxes on all images"
    published: ClassVar[Published] = {"mAP": {"map_40_75": ", all images", "map_published": ", images as published"}}
    tags = "Detection, RetinaNet"
    output = (
        "The raw network gives `classification` and `box_regression` maps; `inferer` makes of them, for each image, "
        "`box` (n, 4) xyxy in pixels of the input, `label` (n,) and `score` (n,). Labels in this order: {names}."
    )
    files = "`predictions.json`: boxes in the pixels of the original image, with scores"

    def trivial_answer(self, table: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
        """The boxes are those of the validation images (`scripts.tasks.detection.template_boxes`)."""
        chosen, scored, _ = split_table(table)
        return with_templates(scored, chosen, len(names))

    def unscored(self, table: pd.DataFrame, names: Sequence[str]) -> dict[str, str]:
        found = images_with_box(table["true_classes"], len(names))
        return {name: "no box" for name, images in zip(names, found, strict=True) if not images}

    def variants(self, table: pd.DataFrame) -> dict[str, pd.DataFrame]:
        return {"map_published": published_images(table)}

    def target_names(self, source: str | Path) -> list[str]:
        return box_names(source)

    def positives(self, items: Sequence[Mapping[str, Any]], names: Sequence[str], image_size: int) -> dict[str, int]:
        return dict(zip(names, images_with_box([item["label"] for item in items], len(names)), strict=True))

    def random_targets(self, batch: int, classes: int, image_size: int) -> list[dict[str, Tensor]]:
        box = torch.tensor([[0.2, 0.3, 0.5, 0.8], [0.6, 0.1, 0.7, 0.2]]) * image_size
        return [{"box": box, "label": torch.tensor([0, 1])} for _ in range(batch)]

    def _class_scores(self, table: pd.DataFrame, names: Sequence[str], draws: Draws) -> Floats:
        return weighted_map(table, names, draws)

    def _of_names(self, table: pd.DataFrame, names: Sequence[str], only: Sequence[str]) -> pd.DataFrame:
        return table if only == names else boxes_of_names(table, [names.index(name) for name in only])


DETECTION = Detection()
