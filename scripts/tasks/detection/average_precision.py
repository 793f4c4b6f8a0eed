"""Average precision of boxes by COCO's rules, over all images, for every draw of a bootstrap at once.

A table has a row an image and the columns `boxes`, `scores`, `classes`, `true_boxes`, `true_classes`: lists of boxes
(xyxy), scores, and indices into `names`. Images without a box count: what is detected there is false.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ...statistics.draws import Draws, Floats

MAP_40_75 = np.linspace(0.40, 0.75, 8)  # the published chest protocols' (RSNA 2018, Object-CXR)
MAP_50_95 = np.linspace(0.50, 0.95, 10)  # COCO's
LIMIT = 100  # detections an image and class, as COCO's
CONFIDENCE = 0.5  # of the published tables' variant
_RECALLS = np.linspace(0, 1, 101)


class Matches(NamedTuple):
    """Detections of one class over all images, the highest score first, and what they hit.

    Attributes:
        image: `[d]` row of the table.
        score: `[d]`.
        hit: `[T, d]` whether it found a true box, at each IoU threshold.
        truths: `[n]` true boxes of each image.
    """

    image: NDArray[np.int64]
    score: Floats
    hit: NDArray[np.bool_]
    truths: NDArray[np.int64]


def box_iou(a: ArrayLike, b: ArrayLike) -> Floats:
    """`[n, m]` intersection over union of boxes `[n, 4]` and `[m, 4]`, xyxy."""
    first, second = (np.asarray(boxes, dtype=np.float64).reshape(-1, 4) for boxes in (a, b))
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=2)
    area = [np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) for boxes in (first, second)]
    union = area[0][:, None] + area[1][None] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def match_boxes(table: pd.DataFrame, classes: int, ious: ArrayLike, limit: int = LIMIT) -> list[Matches]:
    """Match detections to true boxes image by image and class by class, as COCO's evaluation does: the highest score
    chooses first, and takes the free true box that it overlaps most. Of equal scores the one with the largest overlap
    is first, where COCO's goes by their order.

    Args:
        table: see the module.
        classes: number of names.
        ious: `[T]` thresholds; each is matched on its own.
        limit: the highest-scored detections that count, an image and class.
    """
    thresholds = np.minimum(np.asarray(ious, dtype=np.float64), 1 - 1e-10)
    columns = [table[key].tolist() for key in ("boxes", "scores", "classes", "true_boxes", "true_classes")]
    found: list[list[tuple[int, Floats, NDArray[np.bool_]]]] = [[] for _ in range(classes)]
    truths = np.zeros((classes, len(table)), dtype=np.int64)
    for row, (boxes, scores, labels, true_boxes, true_labels) in enumerate(zip(*columns, strict=True)):
        detected, wanted = _boxes(boxes), _boxes(true_boxes)
        certain, kinds = np.asarray(scores, dtype=np.float64), np.asarray(labels, dtype=np.int64)
        true_kinds = np.asarray(true_labels, dtype=np.int64)
        for kind in np.union1d(kinds, true_kinds):
            chosen = np.flatnonzero(kinds == kind)
            chosen = chosen[np.argsort(-certain[chosen], kind="stable")][:limit]
            there = wanted[true_kinds == kind]
            truths[kind, row] = len(there)
            overlap = box_iou(detected[chosen], there)
            if len(there):
                first = np.lexsort((-overlap.max(axis=1), -certain[chosen]))
                chosen, overlap = chosen[first], overlap[first]
            found[kind].append((row, certain[chosen], _hits(overlap, thresholds)))
    return [_in_order(parts, truths[kind], len(thresholds)) for kind, parts in enumerate(found)]


def weighted_average_precision(matches: Matches, draws: Draws) -> Floats:
    """Average precision of one class in each draw, interpolated at COCO's 101 recalls.

    Equal scores are one operating point: a threshold takes all of them or none, as in scikit-learn's curve. COCO's own
    evaluation takes them one by one in the order of the images, by which a constant answer scores anything between
    nothing and a detector's level; without equal scores the two are the same.

    Args:
        matches: of `match_boxes`.
        draws: of the n images.

    Returns:
        `[D, T]`, NaN where a draw has no true box of the class.
    """
    point, last = operating_points(matches.score)

    def few(weights: Floats) -> Floats:
        truths = weights @ matches.truths
        result = np.full((len(weights), len(matches.hit)), np.nan)
        known = truths > 0
        drawn = weights[known][:, matches.image]
        flagged = np.cumsum(drawn, axis=1)
        for t, hit in enumerate(matches.hit):
            # Between two points with hits precision only falls, so the envelope needs those alone: few columns.
            places = np.flatnonzero(hit)
            points, first = np.unique(point[places], return_index=True)
            if not len(points):
                result[known, t] = 0
                continue
            hits = np.cumsum(np.add.reduceat(drawn[:, places], first, axis=1), axis=1)
            precision = hits / (flagged[:, last[points]] + np.spacing(1))
            envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
            # A point that raises recall past k of the 101 levels is what those k levels are read at.
            passed = np.searchsorted(_RECALLS, hits / truths[known][:, None], side="right")
            levels = np.diff(passed, axis=1, prepend=0)
            result[known, t] = (envelope * levels).sum(axis=1) / len(_RECALLS)
        return result

    return draws.map(few, len(matches.image))


def operating_points(score: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Of scores `[d]`, the highest first: the point `[d]` that each belongs to, and the last place of each point."""
    last = np.flatnonzero(np.r_[score[1:] != score[:-1], True][: len(score)])
    return np.searchsorted(last, np.arange(len(score))), last


def weighted_map(
    table: pd.DataFrame, names: Sequence[str], draws: Draws, ious: ArrayLike = MAP_40_75, limit: int = LIMIT
) -> Floats:
    """Mean of average precision over the IoU thresholds, of each class in each draw; their mean is the mAP.

    Args:
        table: see the module.
        names: of the classes.
        draws: of the table's rows.
        ious: thresholds; default: the chest protocols' .40:.05:.75.
        limit: detections an image and class that count.

    Returns:
        `[C, D]`, NaN where a draw has no true box of the class.
    """
    matches = match_boxes(table, len(names), ious, limit)
    return np.stack([weighted_average_precision(found, draws).mean(axis=1) for found in matches])


def published_images(table: pd.DataFrame) -> pd.DataFrame:
    """The images that the published tables score, with the detections that they keep.

    Their code drops detections below a confidence of 0.5, and then every image without a detection or without a true
    box, so that neither a missed image nor an alarm on a healthy one costs anything. Only for comparisons.
    """
    kept = table.copy()
    for key in ("boxes", "scores", "classes"):
        kept[key] = [
            [value for value, score in zip(values, scores, strict=True) if score > CONFIDENCE]
            for values, scores in zip(table[key], table["scores"], strict=True)
        ]
    return kept[[bool(len(a)) and bool(len(b)) for a, b in zip(kept["boxes"], kept["true_boxes"], strict=True)]]


def boxes_of_names(table: pd.DataFrame, kept: Sequence[int]) -> pd.DataFrame:
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


def _boxes(cell: Any) -> Floats:
    return np.array([np.asarray(box, dtype=np.float64) for box in cell], dtype=np.float64).reshape(-1, 4)


def _hits(overlap: Floats, thresholds: Floats) -> NDArray[np.bool_]:
    """`[T, d]` of the detections (in order) that found a free true box, from their overlaps `[d, t]`."""
    hit = np.zeros((len(thresholds), len(overlap)), dtype=bool)
    if overlap.size == 0:
        return hit
    free = np.ones((len(thresholds), overlap.shape[1]), dtype=bool)
    for d in np.flatnonzero(overlap.max(axis=1) >= thresholds.min()):
        reached = np.where(free & (overlap[d] >= thresholds[:, None]), overlap[d], -1.0)
        best = overlap.shape[1] - 1 - reached[:, ::-1].argmax(axis=1)  # of equal ones the last, as COCO's
        hit[:, d] = reached[np.arange(len(thresholds)), best] >= 0
        free[hit[:, d], best[hit[:, d]]] = False
    return hit


def _in_order(
    parts: Sequence[tuple[int, Floats, NDArray[np.bool_]]], truths: NDArray[np.int64], thresholds: int
) -> Matches:
    image = np.repeat([row for row, _, _ in parts], [len(score) for _, score, _ in parts]).astype(np.int64)
    score = np.concatenate([score for _, score, _ in parts] or [np.zeros(0)])
    hit = np.concatenate([hit for _, _, hit in parts] or [np.zeros((thresholds, 0), dtype=bool)], axis=1)
    order = np.argsort(-score, kind="stable")
    return Matches(image[order], score[order], hit[:, order], truths)
