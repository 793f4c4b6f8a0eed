"""Dice of segmentation from three counts an image, in the forms that people compare, with the all-empty baseline.

An image with an empty true mask scores 1 for an empty prediction in the per-image Dice of the MGCA protocol
(Wang et al. 2022), which most published tables of SIIM and RSNA give. There an empty mask for every image reaches 73
and 77.5, above most of these tables, so this Dice says little without that baseline and without Dice over positives.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from ...errors import CxrError
from ...statistics.draws import Draws, Floats, ratio

DICE = ("dice_positives", "dice_per_image", "dice_all_empty", "dice_set")


class Counts(NamedTuple):
    """Pixels of one mask in each image, `[n]`, NaN where the mask is unknown.

    Attributes:
        tp: true and predicted.
        pred: predicted.
        true: true.
    """

    tp: Floats
    pred: Floats
    true: Floats

    @classmethod
    def of(cls, table: Mapping[str, Any] | pd.DataFrame, name: str) -> Counts:
        """From the columns `tp_<name>`, `pred_<name>` and `true_<name>`."""
        return cls(*(np.asarray(table[f"{part}_{name}"], dtype=np.float64) for part in cls._fields))


def mask_counts(logits: Tensor, masks: Tensor) -> Tensor:
    """Counts of a batch; a pixel is predicted at a probability above .5, which is a logit above 0.

    Args:
        logits: `(B, K, H, W)`.
        masks: the same shape, 1 and 0, or -1 throughout a mask that is unknown.

    Returns:
        `(B, K, 3)` float64 on the CPU, tp, pred and true of `Counts`.

    Raises:
        CxrError: the logits hold NaN (an empty prediction they are not) or have another shape than the masks.
    """
    logits, masks = logits.detach().as_subclass(Tensor), masks.as_subclass(Tensor)
    if logits.shape != masks.shape:
        raise CxrError(
            f"The network gave masks of {tuple(logits.shape)} for true masks of {tuple(masks.shape)}: check names and "
            "image_size."
        )
    # A maximum is NaN where any of its numbers is.
    if nan := int(logits.amax((1, 2, 3)).isnan().sum()):
        raise CxrError(
            f"The network's output is NaN in {nan} of {len(logits)} images: it diverged. "
            "Lower the learning rate, or use precision=float32."
        )
    predicted, true = logits > 0, masks > 0.5
    parts = [part.sum((2, 3), dtype=torch.int32) for part in (predicted & true, predicted, true)]
    counts = torch.stack(parts, dim=2).double()
    return counts.masked_fill((masks.amin((2, 3)) < 0)[:, :, None], torch.nan).cpu()


def per_image_dice(counts: Counts) -> Floats:
    """`[n]` protocol Dice: 2 tp / (pred + true); where nothing is true, 1 for an empty prediction and else 0."""
    either = counts.pred + counts.true
    dice = np.divide(2 * counts.tp, either, out=np.ones_like(either), where=either > 0)
    return np.where(np.isnan(either), np.nan, dice)


def weighted_dice(counts: Counts, draws: Draws) -> dict[str, Floats]:
    """Every form of Dice in every draw.

    Args:
        counts: of n images.
        draws: of the n images.

    Returns:
        `[D]` arrays, NaN where a draw holds no image to score. `dice_positives`: mean over images with a true mask.
        `dice_per_image`: mean over all, empties counted 1 or 0. `dice_all_empty`: what the latter is when every
        prediction is empty, the share of images without a true mask. `dice_set`: of all pixels of the set taken as one
        image.
    """
    known = ~np.isnan(counts.true)
    positive, dice = known & (counts.true > 0), np.nan_to_num(per_image_dice(counts))
    columns = [np.nan_to_num(part) for part in counts] + [dice, dice * positive, known, positive]
    tp, pred, true, of_all, of_positives, images, positives = draws.total(np.stack(columns, axis=1)).T
    return {
        "dice_positives": ratio(of_positives, positives),
        "dice_per_image": ratio(of_all, images),
        "dice_all_empty": ratio(images - positives, images),
        # Without a true pixel in the set there is no foreground to score.
        "dice_set": np.where(true > 0, ratio(2 * tp, pred + true), np.nan),
    }


def weighted_class_dice(
    table: Mapping[str, Any] | pd.DataFrame, names: Sequence[str], draws: Draws
) -> dict[str, Floats]:
    """`weighted_dice` of each mask of a table with columns tp_, pred_ and true_ of each name: `[C, D]` of each form,
    whose mean over the masks (`mean_over_classes`) is the macro score.
    """
    scores = [weighted_dice(Counts.of(table, name), draws) for name in names]
    return {kind: np.stack([score[kind] for score in scores]) for kind in DICE}


def weighted_positives_dice(table: Mapping[str, Any] | pd.DataFrame, names: Sequence[str], draws: Draws) -> Floats:
    """`[C, D]` Dice over positives of each mask."""
    return weighted_class_dice(table, names, draws)["dice_positives"]


def batch_mean_dice(counts: Counts, batches: ArrayLike) -> float:
    """The published variant of `dice_per_image`: the mean over batches of each batch's mean.

    An image of a smaller last batch weighs more than the others, so it depends on the batch size.

    Args:
        counts: of n images.
        batches: `[n]` batch of each image.
    """
    return float(pd.Series(per_image_dice(counts)).groupby(np.asarray(batches)).mean().mean())
