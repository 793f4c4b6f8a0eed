"""Rows of the segmentation table: every form of Dice beside an empty mask's, and HD95 in its unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from scripts.metrics import percentile_interval, weighted_mean
from scripts.metrics.segmentation import Counts, Floats, batch_mean_dice
from scripts.output import Score, ScoreRow

METHOD = "this run"
DICE = {
    "dice_positives": "Dice over positives",
    "dice_per_image": "Dice per image, a right empty mask counting 1",
    "dice_set": "Dice over all pixels of the set",
}


def dice_rows(
    title: str, names: Sequence[str], scored: pd.DataFrame, found: Mapping[str, Floats], published: bool
) -> list[ScoreRow]:
    """The forms of Dice of one mask, or macro over several.

    Args:
        title: stands in each row.
        names: of the masks.
        scored: the images.
        found: `weighted_macro_dice` of them: `[B]` draws of each form, the first of which is the score itself.
        published: adds the mean of batch means.
    """
    counts = [Counts.of(scored, name) for name in names]
    images = sum(int((~np.isnan(count.true)).sum()) for count in counts)
    positives = sum(int((count.true > 0).sum()) for count in counts)
    empty = float(found["dice_all_empty"][0])
    unit = "images" if len(names) == 1 else "masks"
    rows = []
    for kind, words in DICE.items():
        trivial = empty if kind == "dice_per_image" else 0.0
        label = f"{words}: {title}" + (f" ({positives} of {images} {unit})" if kind == "dice_positives" else "")
        score = interval_score(found[kind], f"no true mask in {images} images" if images else "nothing known")
        if score.value is not None and score.value <= trivial:
            score = Score(score.value, score.lo, score.hi, "not above an empty mask")
        rows.append(ScoreRow(label, {METHOD: score}, trivial))
    if published:
        value = float(np.nanmean([batch_mean_dice(count, scored["batch"]) for count in counts]))
        label = f"Dice per image, mean of batch means (published): {title}"
        rows.append(ScoreRow(label, {METHOD: Score(value, note="(no interval)")}, empty))
    return rows


def distance_rows(name: str, scored: pd.DataFrame, weights: Floats) -> tuple[list[ScoreRow], dict[str, float]]:
    """One mask's mean HD95 in millimetres and, over images without a spacing, in pixels; as rows and as metrics.

    Args:
        name: of the mask.
        scored: the images, with `hd95_<name>`, `hd95px_<name>` (NaN not defined) and `input_size`.
        weights: `[B, n]`, the first row of ones.
    """
    rows, metrics = [], {}
    size = "/".join(str(size) for size in sorted(scored["input_size"].unique()))
    for key, unit in ((f"hd95_{name}", "mm"), (f"hd95px_{name}", f"pixels of the {size} px input, spacing unknown")):
        values = scored[key].to_numpy(dtype=float)
        there = ~np.isnan(values)
        if there.any():
            draws = weighted_mean(values[there], weights[:, there])
            label = f"HD95 in {unit}: {name} ({int(there.sum())} images)"
            rows.append(ScoreRow(label, {METHOD: interval_score(draws)}))
            metrics[key] = float(draws[0])
    return rows, metrics


def interval_score(draws: Floats, reason: str = "") -> Score:
    """Score of `[B]` draws, the first of which is the value itself; a NaN is not scored, for that reason."""
    if np.isnan(draws[0]):
        return Score(None, note=reason)
    return Score(float(draws[0]), *(percentile_interval(draws[1:]) if len(draws) > 1 else ()))
