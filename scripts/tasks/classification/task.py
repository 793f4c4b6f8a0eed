"""Classification, as the sweep, the packs and the benchmarks see it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import torch
from scipy.stats import rankdata
from torch import Tensor

from ...data.sources import label_names
from ...metrics.binary import lacking, weighted_auroc
from ...statistics.draws import Draws, Floats
from ..scored_images import split_table
from ..task import Published, Task


class Classification(Task):
    """Which findings an image shows; the table's columns are `logit_<name>` and `label_<name>`."""

    name = "classification"
    headline = "macro AUROC"
    trivial = "one score for all images"
    published: ClassVar[Published] = {"AUROC": {"auroc": ""}, "accuracy": {"accuracy": ""}, "F1": {"f1": ""}}
    caches_features = True
    zero_shot = True
    tags = "Classification, Findings"
    output = (
        "`pred`: one logit a finding, float32, in this order: {names}. `postprocessing` makes probabilities of them."
    )
    files = (
        "`predictions.json` and `predictions.csv`: a probability a finding, and a decision where there is a threshold"
    )

    def trivial_answer(self, table: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
        return split_table(table).scored.assign(**{f"logit_{name}": 0.0 for name in names})

    def unscored(self, table: pd.DataFrame, names: Sequence[str]) -> dict[str, str]:
        return {name: reason for name in names if (reason := lacking(table[f"label_{name}"]))}

    def pool(self, tables: Sequence[pd.DataFrame], names: Sequence[str]) -> pd.DataFrame:
        """A score is replaced by its rank among its fold's images, (rank - 1/2) / n: networks need not agree on what a
        2 means. Masks and boxes are pooled as they are.
        """
        if len(tables) > 1:
            scores = [f"logit_{name}" for name in names]
            tables = [
                table.assign(**{column: (rankdata(table[column]) - 0.5) / len(table) for column in scores})
                for table in tables
            ]
        return super().pool(tables, names)

    def target_names(self, source: str | Path) -> list[str]:
        return label_names(source)

    def positives(self, items: Sequence[Mapping[str, Any]], names: Sequence[str], image_size: int) -> dict[str, int]:
        labels = np.stack([np.asarray(item["label"], dtype=float) for item in items])
        return dict(zip(names, (labels == 1).sum(axis=0).tolist()))

    def random_targets(self, batch: int, classes: int, image_size: int) -> Tensor:
        return torch.randint(0, 2, (batch, classes)).float()

    def _class_scores(self, table: pd.DataFrame, names: Sequence[str], draws: Draws) -> Floats:
        return np.stack([weighted_auroc(table[f"label_{name}"], table[f"logit_{name}"], draws) for name in names])


CLASSIFICATION = Classification()
