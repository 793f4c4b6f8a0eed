"""One reading of an image from those of several readers."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .box_lists import CORNERS

MERGE_IOU = 0.5
"""Two readers' boxes of one finding with at least this intersection over union are one object."""


def vote(votes: pd.DataFrame, rule: str) -> pd.Series:
    """One label of each image: 1 or 0.

    Args:
        votes: `[image, reader]` of 1, 0 and NaN (did not read).
        rule: "any" reader's word, that of the "majority" (more than half of those who read), or a reader's name.
    """
    if rule == "any":
        return votes.max(axis=1)
    if rule == "majority":
        return (votes.mean(axis=1) > 0.5).astype(float).where(votes.notna().any(axis=1))
    return votes[rule]


def merge_boxes(boxes: pd.DataFrame, least_readers: int) -> pd.DataFrame:
    """The objects that readers drew, each once: a row an object, with the mean corners of its boxes.

    Boxes of one image and one finding are grouped greedily, those in most agreement first: a group takes of each other
    reader the box that overlaps its first one most, if by `MERGE_IOU`. Two boxes of one reader are two objects.

    Args:
        boxes: `image, label, reader` and the corners, a row a box.
        least_readers: who must have drawn an object for it to stay.
    """
    rows = [
        (image, label, *corners)
        for (image, label), group in boxes.groupby(["image", "label"], sort=False)
        for corners in _objects(group[CORNERS].to_numpy(float), group["reader"].to_numpy(), least_readers)
    ]
    return pd.DataFrame(rows, columns=["image", "label", *CORNERS])


def _objects(corners: np.ndarray, readers: np.ndarray, least: int) -> list[list[float]]:
    overlap = _iou(corners) * ((readers[:, None] != readers) | np.eye(len(readers), dtype=bool))
    free = np.ones(len(corners), bool)
    found = []
    for first in np.argsort(-(overlap >= MERGE_IOU).sum(axis=1), kind="stable"):
        if not free[first]:
            continue
        group = [first]
        for reader in dict.fromkeys(readers[readers != readers[first]]):
            candidates = np.flatnonzero(free & (readers == reader) & (overlap[first] >= MERGE_IOU))
            group += [candidates[np.argmax(overlap[first, candidates])]] if len(candidates) else []
        free[group] = False
        if len(group) >= least:
            found.append(corners[group].mean(axis=0).tolist())
    return found


def _iou(corners: np.ndarray) -> np.ndarray:
    """`[n, n]` intersection over union."""
    low = np.maximum(corners[:, None, :2], corners[None, :, :2])
    high = np.minimum(corners[:, None, 2:], corners[None, :, 2:])
    common = np.clip(high - low, 0, None).prod(axis=2)
    areas = (corners[:, 2:] - corners[:, :2]).prod(axis=1)
    return common / (areas[:, None] + areas - common)
