"""Detection as an Ignite metric: `key_val_metric` of MONAI's evaluator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import ignite.distributed as idist
import numpy as np
import pandas as pd
from ignite.engine import Engine
from ignite.metrics import Metric
from torch import Tensor

from ...errors import CxrError
from ...metrics.collect import collect_values
from ...statistics.draws import Draws
from ...statistics.estimate import mean_over_classes
from .average_precision import MAP_40_75, MAP_50_95, match_boxes, weighted_average_precision
from .froc import FROC_IOU, pool_classes, weighted_sensitivity


class DetectionScores(Metric):
    """`map_40_75`, `map_50_95`, `ap50` and `sensitivity_1fp` (all classes pooled) over all images of an epoch and all
    ranks; besides `map_40_75_<name>` of each class that is there.

    Args:
        names: of the classes.
        main: the score that stands under the metric's name, for MONAI's key metric.
    """

    def __init__(self, names: Sequence[str], main: str = "map_40_75") -> None:
        self.names, self.main = list(names), main
        super().__init__()

    def reset(self) -> None:
        self._rows: list[dict[str, Any]] = []

    def iteration_completed(self, engine: Engine) -> None:
        self.update((engine.state.output, engine.state.batch))

    def update(self, output: tuple[Any, Any]) -> None:
        """Keep one batch.

        Args:
            output: (`engine.state.output`, `engine.state.batch`): detections in `pred` and targets in `label`, a dict
                an image; `image_id` in the items.
        """
        result, batch = output
        rows = detection_rows(result)
        ids = collect_values(batch, "image_id") or [None] * len(rows)
        self._rows += [{**row, "image_id": image_id} for row, image_id in zip(rows, ids, strict=True)]

    def compute(self) -> dict[str, float]:
        """Scores of the epoch; every rank gets the same."""
        ranks = idist.all_gather(self._rows) if idist.get_world_size() > 1 else [self._rows]
        table = pd.DataFrame([row for rows in ranks for row in rows])  # type: ignore[union-attr]
        if table.empty:
            raise CxrError("DetectionScores saw no image: the validation list is empty.")
        if table["image_id"].notna().all():  # a distributed sampler repeats some images
            table = table.drop_duplicates("image_id", ignore_index=True)
        if not any(len(boxes) for boxes in table["true_boxes"]):
            raise CxrError(f"No validation image has a box of {', '.join(self.names)}: detection cannot be scored.")
        once = Draws.once(len(table))
        matches = match_boxes(table, len(self.names), np.concatenate([MAP_40_75, MAP_50_95]))
        precision = [weighted_average_precision(found, once) for found in matches]
        chest, coco = slice(len(MAP_40_75)), slice(len(MAP_40_75), None)
        scores = {
            "map_40_75": float(mean_over_classes([found[:, chest].mean(axis=1) for found in precision])[0]),
            "map_50_95": float(mean_over_classes([found[:, coco].mean(axis=1) for found in precision])[0]),
            "ap50": float(mean_over_classes([found[:, len(MAP_40_75)] for found in precision])[0]),
        }
        pooled = pool_classes(match_boxes(table, len(self.names), [FROC_IOU]))
        scores["sensitivity_1fp"] = float(weighted_sensitivity(pooled, once, [1.0])[0, 0])
        for name, found in zip(self.names, precision, strict=True):
            if not np.isnan(found).any():
                scores[f"map_40_75_{name}"] = float(found[0, chest].mean())
        return scores

    def completed(self, engine: Engine, name: str) -> None:
        scores = self.compute()
        if self.main not in scores:
            raise CxrError(f"DetectionScores(main='{self.main}') is not one of its scores: {', '.join(scores)}.")
        engine.state.metrics.update(scores)
        engine.state.metrics[name] = scores[self.main]


def detection_rows(output: Any) -> list[dict[str, Any]]:
    """One row an image, as `match_boxes` reads them, from `engine.state.output`, decollated or not.

    Raises:
        CxrError: the items have no boxes to compare with.
    """
    if isinstance(output, Mapping):
        found, wanted = output["pred"], output["label"]
    else:
        found, wanted = [one["pred"] for one in output], [one["label"] for one in output]
    if wanted is None or any(target is None for target in wanted):
        raise CxrError("The items have no boxes to compare detections with: is the table's column `boxes` filled?")
    return [
        {
            "boxes": _list(detected["box"]),
            "scores": _list(detected["score"]),
            "classes": _list(detected["label"]),
            "true_boxes": _list(target["box"]),
            "true_classes": _list(target["label"]),
        }
        for detected, target in zip(found, wanted, strict=True)
    ]


def _list(values: Tensor) -> list[Any]:
    return values.detach().as_subclass(Tensor).cpu().tolist()
