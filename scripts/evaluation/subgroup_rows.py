"""AUROC by sex, age and view: one table each, a column a group."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from scripts.metrics import MACRO, ClassScore, class_score, subgroups
from scripts.metrics.bootstrap import Floats
from scripts.metrics.classification import lacking, mean_over_classes, weighted_areas
from scripts.output import Score, ScoreRow


def subgroup_tables(table: pd.DataFrame, names: Sequence[str], weights: Floats) -> dict[str, list[ScoreRow]]:
    """Rows of each class, and of their mean, by what is known about the images.

    Every group is scored with the draws of all images, so that groups of the same patients vary together. Each cell
    tells its positives; a class without both kinds of image in a group is not scored there.

    Args:
        table: the scored images: `logit_<name>`, `label_<name>`, `patient`, and any of `sex`, `age`, `view`.
        names: classes.
        weights: `[1 + B, n]` of `scripts.metrics.bootstrap_weights`.

    Returns:
        Tables by title; empty when nothing is known of any image.
    """
    tables = {}
    for variable, groups in subgroups(table).items():
        columns = {}
        for group, mask in groups.items():
            patients = table.loc[mask, "patient"].nunique()
            # The draws of a single patient would all be the same: an interval of no width.
            drawn = weights[:, mask] if patients > 1 else weights[:1, mask]
            title = f"{group} (images {int(mask.sum())}, patients {patients})"
            columns[title] = _scores(table[mask], names, drawn)
        several = [MACRO] if len(names) > 1 else []
        tables[f"AUROC by {variable}"] = [
            ScoreRow(f"AUROC {name}, by {variable}", {title: cells[name] for title, cells in columns.items()}, 0.5)
            for name in (*several, *names)
        ]
    return tables


def class_cell(score: ClassScore, note: str = "") -> Score:
    """A score as a table's cell: with its reason when there is none, else with a note."""
    return Score(score.value, score.lo, score.hi, score.reason or note)


def _scores(table: pd.DataFrame, names: Sequence[str], weights: Floats) -> dict[str, Score]:
    cells, draws = {}, []
    for name in names:
        labels = table[f"label_{name}"].to_numpy(dtype=np.float64)
        known = ~np.isnan(labels)
        counted = f"({int(np.nansum(labels))} of {int(known.sum())})"
        if missing := lacking(labels):
            cells[name] = Score(None, note=missing)
            continue
        logits = table[f"logit_{name}"].to_numpy(dtype=np.float64)
        draws.append(weighted_areas(labels[known], logits[known], weights[:, known])[0])
        cells[name] = class_cell(class_score(draws[-1]), counted)
    if draws:
        left_out = "" if len(draws) == len(names) else f"over {len(draws)} of {len(names)} classes"
        return {MACRO: class_cell(class_score(mean_over_classes(draws)), left_out)} | cells
    return {MACRO: Score(None, note="no class could be scored")} | cells
