"""The evaluation of segmentation: every form of Dice beside the all-empty baseline, HD95, worst and best cases."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import ignite.distributed as idist
import numpy as np
import pandas as pd
from ignite.engine import Engine
from numpy.typing import ArrayLike

from ...figures.montage import plot_montage
from ...figures.overlays import mask_panel
from ...metrics.collect import collect_values
from ...metrics.hausdorff import hausdorff95
from ...radiograph.letterbox import Letterbox
from ...statistics.draws import Draws, Floats
from ...statistics.estimate import MACRO, mean_over_classes
from ...tables.scores import ScoreRow
from ..report import TaskReport, TaskScores, split_table
from .dice import Counts, mask_counts, per_image_dice, weighted_class_dice
from .dice_figure import plot_dice_by_size
from .metric import stacked
from .rows import dice_rows, distance_rows


class SegmentationReport(TaskReport):
    """Report on a segmentation network, whose output is a logit a pixel and mask; the threshold is .5.

    Scores, macro and of each mask, with 95 % intervals over patients: Dice over positives, per image with right empties
    counted 1 (the MGCA protocol's), over the set's pixels; beside each, what an empty mask for every image scores. HD95
    in millimetres where the image's spacing is known, else in pixels of the network's input, over images where neither
    mask is empty: it is not defined for the others, which are counted. With `protocol="published"` the per-image Dice
    also as the mean of batch means, in a row of its own.

    The table has, of each mask, the pixel counts `tp_`, `pred_`, `true_` (NaN unknown) and `hd95_` (mm) or `hd95px_`.
    """

    heading: ClassVar[str] = "Segmentation"
    captions: ClassVar[Mapping[str, str]] = {
        "worst_cases": "Worst cases: least Dice among images with a true mask",
        "best_cases": "Best cases: largest Dice among images with a true mask",
        "false_positives": "False positives: most pixels predicted for a mask that is empty",
        "dice_by_size": "Dice of each image against the size of its true mask",
    }

    def rows(self, engine: Engine) -> list[dict[str, Any]]:
        logits, masks = (stacked(engine.state.output, key) for key in ("pred", "label"))
        counts = mask_counts(logits, masks).numpy()
        predicted, true = (logits > 0).cpu().numpy(), (masks > 0.5).cpu().numpy()
        facts = [collect_values(engine.state.batch, key) for key in ("spacing", "height", "width")]
        size = int(masks.shape[-1])
        number = engine.state.iteration * idist.get_world_size() + idist.get_rank()
        rows = []
        for i in range(len(counts)):
            told = not any(fact is None for fact in facts)
            spacing = input_spacing(size, *(fact[i] for fact in facts)) if told else np.full(2, np.nan)
            unknown = bool(np.isnan(spacing).any())
            row: dict[str, Any] = {"batch": number, "input_size": size}
            for k, name in enumerate(self.names):
                row |= {f"{part}_{name}": float(value) for part, value in zip(Counts._fields, counts[i, k])}
                distance = hausdorff95(predicted[i, k], true[i, k], (1.0, 1.0) if unknown else tuple(spacing))
                row[f"hd95_{name}"] = np.nan if unknown else distance
                row[f"hd95px_{name}"] = distance if unknown else np.nan
            rows.append(row)
        return rows

    def score(self, table: pd.DataFrame) -> TaskScores:
        scored = split_table(table).scored
        draws = Draws.of(scored["patient"].tolist(), self.resamples)
        published = self.protocol == "published"
        rows: list[ScoreRow] = []
        found = weighted_class_dice(scored, self.names, draws)
        metrics = {kind: float(mean_over_classes(drawn)[0]) for kind, drawn in found.items()}
        if len(self.names) > 1:
            rows += dice_rows(MACRO, self.names, scored, found, published)
        masks, notes = {}, ["Trivial is an empty mask for every image."]
        for name in self.names:
            found = weighted_class_dice(scored, [name], draws)
            metrics |= {f"{kind}_{name}": float(drawn[0, 0]) for kind, drawn in found.items()}
            distances, means = distance_rows(name, scored, draws)
            rows += dice_rows(name, [name], scored, found, published) + distances
            metrics |= means
            masks[name] = counted(Counts.of(scored, name))
            notes += notes_on(name, **masks[name])
        metrics = {key: value for key, value in metrics.items() if not np.isnan(value)}
        return TaskScores(rows, metrics, {"threshold": 0.5, "masks": masks}, notes)

    def draw(self, table: pd.DataFrame, scores: TaskScores, pictures: Path) -> None:
        scored = split_table(table).scored
        counts = {name: Counts.of(scored, name) for name in self.names}
        dice, false = case_order(list(counts.values()), scored.index)
        cases = {"worst_cases": dice, "best_cases": dice[::-1], "false_positives": false}
        for stem, values in cases.items():
            words = "{:.0f} px" if stem == "false_positives" else "Dice {:.2f}"
            panels = [
                mask_panel(
                    example.grey,
                    self.names,
                    example.item["label"],
                    example.output > 0,
                    f"case {example.case}: {words.format(values[example.case])}",
                )
                for example in self.examples(scored, values.index.tolist())
            ]
            if panels:
                plot_montage(panels, pictures / f"{stem}.png", self.captions[stem], columns=3)
        if len(dice):
            pixels = scored["input_size"].to_numpy(dtype=float) ** 2
            images = {
                name: ((count.true / pixels)[count.true > 0], per_image_dice(count)[count.true > 0])
                for name, count in counts.items()
            }
            plot_dice_by_size(images, pictures / "dice_by_size.png", self.captions["dice_by_size"])


def input_spacing(size: int, spacing: ArrayLike, height: ArrayLike, width: ArrayLike) -> Floats:
    """Millimetres of a pixel of the network's input, (row, column); NaN where the original's are unknown.

    Args:
        size: side of the square that the image was letterboxed to.
        spacing: of the original image, (row, column) in mm.
        height, width: of the original image in pixels; 0 = unknown.
    """
    rows, columns = int(np.asarray(height)), int(np.asarray(width))
    if not rows or not columns:
        return np.full(2, np.nan)
    x0, y0, x1, y1 = Letterbox(rows, columns, size).content
    # Rounding to whole pixels makes the two axes' factors differ a little from the letterbox's scale.
    return np.asarray(spacing, dtype=np.float64) * [rows / (y1 - y0), columns / (x1 - x0)]


def counted(counts: Counts) -> dict[str, int]:
    """How many images of a mask are known, have it, and have either the true or the predicted mask empty, not both."""
    return {
        "images": int((~np.isnan(counts.true)).sum()),
        "positives": int((counts.true > 0).sum()),
        "one_empty": int(((counts.true > 0) ^ (counts.pred > 0)).sum()),
    }


def notes_on(name: str, images: int, positives: int, one_empty: int) -> list[str]:
    """What a reader of one mask's scores has to know."""
    notes = []
    if 0 < positives < images:
        notes.append(
            f"{name}: {images - positives} of {images} images have no true mask, so an empty mask for every image "
            f"scores {(images - positives) / images:.3f} in Dice per image."
        )
    if one_empty:
        notes.append(f"{name}: HD95 is not defined in {one_empty} images, where one mask of the two is empty.")
    return notes


def case_order(counts: list[Counts], index: pd.Index) -> tuple[pd.Series, pd.Series]:
    """Images with a true mask by their mean Dice, least first; and those with pixels predicted for a mask that is
    truly empty, most first.
    """
    dice = [np.where(count.true > 0, per_image_dice(count), np.nan) for count in counts]
    wrong = sum(np.where(count.true == 0, count.pred, 0) for count in counts)
    cases = pd.Series(mean_over_classes(dice), index).dropna().sort_values(kind="stable")
    return cases, pd.Series(wrong, index)[wrong > 0].sort_values(ascending=False, kind="stable")
