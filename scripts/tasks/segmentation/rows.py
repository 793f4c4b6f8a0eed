"""Rows of the segmentation table: every form of Dice beside an empty mask's, and HD95 in its unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from ...statistics.draws import Draws, Floats
from ...statistics.estimate import Estimate, estimate, mean_over_classes
from ...tables.scores import ScoreRow, run_row
from .dice import Counts, batch_mean_dice

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
        found: `weighted_class_dice` of them.
        published: adds the mean of batch means.
    """
    counts = [Counts.of(scored, name) for name in names]
    images = sum(int((~np.isnan(count.true)).sum()) for count in counts)
    positives = sum(int((count.true > 0).sum()) for count in counts)
    empty = float(mean_over_classes(found["dice_all_empty"])[0])
    unit = "images" if len(names) == 1 else "masks"
    rows = []
    for kind, words in DICE.items():
        trivial = empty if kind == "dice_per_image" else 0.0
        label = f"{words}: {title}" + (f" ({positives} of {images} {unit})" if kind == "dice_positives" else "")
        missing = f"no true mask in {images} images" if images else "nothing known"
        score = estimate(found[kind], trivial, unscored=missing)
        note = "not above an empty mask" if score.value is not None and score.value <= trivial else ""
        rows.append(run_row(label, score.noted(note)))
    if published:
        value = float(np.nanmean([batch_mean_dice(count, scored["batch"]) for count in counts]))
        label = f"Dice per image, mean of batch means (published): {title}"
        rows.append(run_row(label, Estimate(value, trivial=empty, reason="(no interval)")))
    return rows


def distance_rows(name: str, scored: pd.DataFrame, draws: Draws) -> tuple[list[ScoreRow], dict[str, float]]:
    """One mask's mean HD95 in millimetres and, over images without a spacing, in pixels; as rows and as metrics.

    Args:
        name: of the mask.
        scored: the images, with `hd95_<name>`, `hd95px_<name>` (NaN not defined) and `input_size`.
        draws: of them.
    """
    rows, metrics = [], {}
    size = "/".join(str(size) for size in sorted(scored["input_size"].unique()))
    for key, unit in ((f"hd95_{name}", "mm"), (f"hd95px_{name}", f"pixels of the {size} px input, spacing unknown")):
        values = scored[key].to_numpy(dtype=float)
        there = ~np.isnan(values)
        if there.any():
            label = f"HD95 in {unit}: {name} ({int(there.sum())} images)"
            rows.append(run_row(label, estimate(draws[there].mean(values[there]))))
            metrics[key] = float(values[there].mean())
    return rows, metrics
