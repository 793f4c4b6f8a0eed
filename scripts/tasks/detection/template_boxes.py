"""What a detector has to beat: the same boxes on every image, without looking at it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .average_precision import box_iou

TEMPLATES = 4  # a class; left and right organs, upper and lower zones
_SAMPLE = 1500  # true boxes whose overlaps are compared pair by pair
_COVERED = 0.5  # IoU


def template_boxes(table: pd.DataFrame, classes: int, templates: int = TEMPLATES) -> tuple[list, list, list]:
    """Boxes, scores and classes to give every image, chosen on the images of `table`.

    Of the true boxes of a class the one that overlaps most others (IoU of at least 0.5) is taken, what it covers is put
    aside, and so on. Its score is the share of images that it covers a box of. Lungs lie so much alike that this scores
    high; what a detector sees in the images begins above it.

    Args:
        table: a row an image with `true_boxes` (of images of one size) and `true_classes`.
        classes: number of names.
        templates: a class at most.
    """
    boxes: list[list[float]] = []
    scores: list[float] = []
    labels: list[int] = []
    for kind in range(classes):
        found = [
            box
            for some, kinds in zip(table["true_boxes"], table["true_classes"], strict=True)
            for box, label in zip(some, kinds, strict=True)
            if label == kind
        ]
        known = np.array([np.asarray(box, dtype=float) for box in found]).reshape(-1, 4)
        known = known[np.lexsort(known.T)]  # of boxes that fit equally well, the same one in any order of the images
        if len(known) > _SAMPLE:
            known = known[np.random.default_rng(0).choice(len(known), _SAMPLE, replace=False)]
        covers, free = box_iou(known, known) >= _COVERED, np.ones(len(known), dtype=bool)
        for _ in range(templates):
            if not free.any():
                break
            best = int((covers & free).sum(axis=1).argmax())
            boxes.append(known[best].tolist())
            scores.append(float((covers[best] & free).sum() * len(found) / len(known) / len(table)))
            labels.append(kind)
            free &= ~covers[best]
    return boxes, scores, labels


def with_templates(table: pd.DataFrame, chosen: pd.DataFrame, classes: int) -> pd.DataFrame:
    """`table` with the template boxes of the images of `chosen` as every image's detections."""
    answer = template_boxes(chosen, classes)
    return table.assign(**{key: [part] * len(table) for key, part in zip(("boxes", "scores", "classes"), answer)})
