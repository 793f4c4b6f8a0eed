"""The one number that a task is compared by, for every bootstrap draw at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..errors import CxrError
from ..metrics.binary import weighted_class_auroc
from ..statistics.draws import Draws, Floats
from .detection.average_precision import weighted_map
from .detection.template_boxes import with_templates
from .report import split_table
from .segmentation.dice import weighted_positives_dice


@dataclass(frozen=True)
class Headline:
    """A task's number: its name, what needs no learning, and how it is computed for each class."""

    name: str
    trivial: str
    statistic: Callable[[pd.DataFrame, Sequence[str], Draws], Floats]


HEADLINES: Mapping[str, Headline] = {
    "classification": Headline("macro AUROC", "one score for all images", weighted_class_auroc),
    "segmentation": Headline("Dice over positives", "all-empty masks", weighted_positives_dice),
    "detection": Headline("mAP .40:.75", "the same boxes on all images", weighted_map),
}


def headline(
    task: str, table: pd.DataFrame, names: Sequence[str], draws: Draws, only: Sequence[str] | None = None
) -> Floats:
    """What the task's number is the mean of, each class in each draw: AUROC, Dice over positives, or average precision
    at IoU .40:.05:.75 (`scripts.statistics.estimate` takes the mean).

    Args:
        task: "classification", "segmentation" or "detection".
        table: a row an image, as `predictions.parquet` of the task's evaluation; the scored rows alone.
        names: all findings, masks or boxes of the network, in order.
        draws: of the table's rows.
        only: the names to average over; default all.

    Returns:
        `[C, D]`, NaN where a draw holds nothing of a class to score.

    Raises:
        CxrError: for another task, no name, or draws of another number of images than the table has.
    """
    if task not in HEADLINES:
        raise CxrError(f"No task {task!r}; there are {', '.join(HEADLINES)}.")
    only = list(names if only is None else only)
    if not only:
        raise CxrError(f"{task}: no name is left to score.")
    if draws.images != len(table):
        raise CxrError(f"{task}: draws of {draws.images} images for the {len(table)} of the table.")
    if task == "detection" and only != list(names):
        table = _boxes_of(table, [list(names).index(name) for name in only])
    return HEADLINES[task].statistic(table, only, draws)


def trivial_answer(task: str, table: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """The scored rows with the answers of what has not learned to see: `headline` then gives its level.

    Args:
        task, names: see `headline`.
        table: all rows of `predictions.parquet`; for detection, the boxes are those of the validation images
            (`scripts.tasks.detection.template_boxes`).
    """
    parts = split_table(table)
    if task == "classification":
        return parts.scored.assign(**{f"logit_{name}": 0.0 for name in names})
    if task == "segmentation":
        return parts.scored.assign(**{f"{count}_{name}": 0.0 for name in names for count in ("tp", "pred")})
    return with_templates(parts.scored, parts.chosen, len(names))


def unscored(task: str, table: pd.DataFrame, names: Sequence[str]) -> dict[str, str]:
    """Names that the rows of `table` cannot score, each with the reason: nothing positive, or nothing negative."""
    return {name: reason for index, name in enumerate(names) if (reason := _lacks(task, table, name, index))}


def _lacks(task: str, table: pd.DataFrame, name: str, index: int) -> str:
    if task == "classification":
        labels = table[f"label_{name}"].to_numpy(dtype=float)
        return "no positive" if not (labels == 1).any() else "no negative" if not (labels == 0).any() else ""
    if task == "segmentation":
        return "" if (table[f"true_{name}"].to_numpy(dtype=float) > 0).any() else "no positive"
    return "" if any(index in np.asarray(classes) for classes in table["true_classes"]) else "no box"


def _boxes_of(table: pd.DataFrame, kept: Sequence[int]) -> pd.DataFrame:
    """The table with the boxes of some classes alone, which are numbered anew in this order."""
    new = {old: place for place, old in enumerate(kept)}
    columns: dict[str, list] = {name: [] for name in ("boxes", "scores", "classes", "true_boxes", "true_classes")}
    for classes, partners in (("classes", ("boxes", "scores")), ("true_classes", ("true_boxes",))):
        for row in table[[classes, *partners]].itertuples(index=False):
            places = [place for place, value in enumerate(row[0]) if int(value) in new]
            columns[classes].append([new[int(row[0][place])] for place in places])
            for name, values in zip(partners, row[1:]):
                columns[name].append([values[place] for place in places])
    return table.assign(**{name: pd.Series(values, table.index, dtype=object) for name, values in columns.items()})
