"""Free-response ROC: the share of true boxes found against false alarms an image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ...statistics.draws import Draws, Floats, ratio
from .average_precision import Matches, operating_points

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


def weighted_sensitivity(matches: Matches, draws: Draws, rates: Sequence[float] = RATES, iou: int = 0) -> Floats:
    """Sensitivity in each draw, at the lowest score that keeps false positives an image within each rate.

    Args:
        matches: of one class, or of all (`pool_classes`).
        draws: of the n images.
        rates: false positives an image.
        iou: which of the thresholds that `match_boxes` was given.

    Returns:
        `[D, len(rates)]`, NaN where a draw has no true box.
    """

    def few(weights: Floats) -> Floats:
        _, hits, false = _counts(matches, iou, weights)
        hits = np.pad(hits, ((0, 0), (1, 0)))  # nothing flagged
        allowed = weights.sum(axis=1)[:, None] * np.asarray(rates)
        place = np.stack([(false <= limit[:, None] + 1e-9).sum(axis=1) for limit in allowed.T], axis=1)
        return ratio(np.take_along_axis(hits, place, axis=1), (weights @ matches.truths)[:, None])

    return draws.map(few, len(matches.image))


def _counts(matches: Matches, iou: int, weights: Floats) -> tuple[np.ndarray, Floats, Floats]:
    """Last detection of each distinct score, hits `[b, p]` and false positives `[b, p]` at or above it."""
    last = operating_points(matches.score)[1]
    drawn = weights[:, matches.image]
    hit = matches.hit[iou]
    return last, np.cumsum(drawn * hit, axis=1)[:, last], np.cumsum(drawn * ~hit, axis=1)[:, last]
