"""Free-response ROC: the share of true boxes found against false alarms an image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from scripts.metrics.bootstrap import CHUNK, Floats
from scripts.metrics.detection import Matches

RATES = (0.5, 1.0, 2.0)
FROC_IOU = 0.5


class Froc(NamedTuple):
    """One point a distinct score, the highest first.

    Attributes:
        false_positives: `[p]` an image, over all images.
        sensitivity: `[p]` share of true boxes found.
        threshold: `[p]` the score.
    """

    false_positives: Floats
    sensitivity: Floats
    threshold: Floats


def pool_classes(matches: Sequence[Matches]) -> Matches:
    """All classes in one ranking; a detection hits true boxes of its own class only."""
    score = np.concatenate([found.score for found in matches])
    order = np.argsort(-score, kind="stable")
    return Matches(
        np.concatenate([found.image for found in matches])[order],
        score[order],
        np.concatenate([found.hit for found in matches], axis=1)[:, order],
        np.sum([found.truths for found in matches], axis=0),
    )


def froc_curve(matches: Matches, iou: int = 0) -> Froc:
    """The curve over all images.

    Args:
        matches: of one class, or of all (`pool_classes`).
        iou: which of the thresholds that `match_boxes` was given.
    """
    last, hits, false = _counts(matches, iou, np.ones((1, len(matches.truths))))
    total = matches.truths.sum()
    sensitivity = hits[0] / total if total else np.full(len(last), np.nan)
    return Froc(false[0] / len(matches.truths), sensitivity, matches.score[last])


def weighted_sensitivity(matches: Matches, weights: Floats, rates: Sequence[float] = RATES, iou: int = 0) -> Floats:
    """Sensitivity in each draw, at the lowest score that keeps false positives an image within each rate.

    Args:
        matches: of one class, or of all (`pool_classes`).
        weights: `[B, n]` multiplicity of each image in each draw.
        rates: false positives an image.
        iou: which of the thresholds that `match_boxes` was given.

    Returns:
        `[B, len(rates)]`, NaN where a draw has no true box.
    """
    rows = max(1, CHUNK // max(1, len(matches.image)))
    if len(weights) > rows:
        parts = [weighted_sensitivity(matches, weights[i : i + rows], rates, iou) for i in range(0, len(weights), rows)]
        return np.concatenate(parts)
    _, hits, false = _counts(matches, iou, weights)
    hits = np.pad(hits, ((0, 0), (1, 0)))  # nothing flagged
    allowed = weights.sum(axis=1)[:, None] * np.asarray(rates)
    place = np.stack([(false <= limit[:, None] + 1e-9).sum(axis=1) for limit in allowed.T], axis=1)
    truths = (weights @ matches.truths)[:, None]
    found = np.take_along_axis(hits, place, axis=1)
    return np.divide(found, truths, out=np.full(found.shape, np.nan), where=truths > 0)


def _counts(matches: Matches, iou: int, weights: Floats) -> tuple[np.ndarray, Floats, Floats]:
    """Last detection of each distinct score, hits `[B, p]` and false positives `[B, p]` at or above it."""
    last = np.flatnonzero(np.r_[matches.score[1:] != matches.score[:-1], True][: len(matches.score)])
    drawn = weights[:, matches.image]
    hit = matches.hit[iou]
    return last, np.cumsum(drawn * hit, axis=1)[:, last], np.cumsum(drawn * ~hit, axis=1)[:, last]
