"""AUROC by sex, age and view: one table each, a column a group."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ...metrics.binary import class_aurocs
from ...statistics.draws import Draws
from ...statistics.estimate import MACRO, Estimate
from ...tables.scores import ScoreRow
from .scores import class_counts
from .subgroups import subgroups


def subgroup_tables(table: pd.DataFrame, names: Sequence[str], draws: Draws) -> dict[str, list[ScoreRow]]:
    """Rows of each class, and of their mean, by what is known about the images.

    Every group is scored with the draws of all images, so that groups of the same patients vary together. Each cell
    tells its positives; a class without both kinds of image in a group is not scored there.

    Args:
        table: the scored images: `logit_<name>`, `label_<name>`, `patient`, and any of `sex`, `age`, `view`.
        names: classes.
        draws: of the n images.

    Returns:
        Tables by title; empty when nothing is known of any image.
    """
    tables = {}
    for variable, groups in subgroups(table).items():
        columns = {}
        for group, mask in groups.items():
            patients = table.loc[mask, "patient"].nunique()
            # The draws of a single patient would all be the same: an interval of no width.
            drawn = (draws if patients > 1 else draws.as_they_are())[mask]
            title = f"{group} (images {int(mask.sum())}, patients {patients})"
            columns[title] = _scores(table[mask], names, drawn)
        several = [MACRO] if len(names) > 1 else []
        tables[f"AUROC by {variable}"] = [
            ScoreRow(f"AUROC {name}, by {variable}", {title: cells[name] for title, cells in columns.items()}, 0.5)
            for name in (*several, *names)
        ]
    return tables


def _scores(table: pd.DataFrame, names: Sequence[str], draws: Draws) -> dict[str, Estimate]:
    labels, logits = (
        table[[f"{kind}_{name}" for name in names]].to_numpy(dtype=np.float64) for kind in ("label", "logit")
    )
    classes, macro = class_aurocs(labels, logits, draws)
    counts = class_counts(labels, names)
    cells = {
        name: one if one.value is None else one.noted(f"({counts[name].positives} of {counts[name].n})")
        for name, one in zip(names, classes, strict=True)
    }
    return {MACRO: macro} | cells
