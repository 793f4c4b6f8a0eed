"""Losses of segmentation that leave unknown masks out."""

from __future__ import annotations

from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...distributed import sum_over_ranks
from ...errors import SettingError

LossKind = Literal["focal_dice", "dice_ce"]
SMOOTH = 1.0


class SegmentationLoss(nn.Module):
    """`focal_dice`: 10 focal - log Dice, the MGCA protocol's; `dice_ce`: 1 - Dice + cross-entropy.

    Dice is soft, taken for each mask over the whole batch with 1 added to numerator and denominator, and averaged over
    the masks that any image of the batch knows. Focal loss (Lin et al. 2017, γ = 2, no α) and binary cross-entropy are
    means over the known pixels. All sums run over the batch of all ranks, so the value does not depend on how many
    processes share a batch (DistributedDataParallel's mean gives the gradient); without a gradient each rank has its
    own. Float32 whatever autocast says.

    A mask filled with -1 is unknown: it adds nothing, in value or gradient. A batch without any known mask gives 0 with
    a gradient of 0.

    Args:
        kind: which of the two.
        focal_weight: of the focal term.
        gamma: of the focal term.
    """

    def __init__(self, kind: LossKind = "focal_dice", focal_weight: float = 10.0, gamma: float = 2.0) -> None:
        super().__init__()
        if kind not in get_args(LossKind):
            raise SettingError(f"The segmentation loss must be one of {', '.join(get_args(LossKind))}, not {kind!r}.")
        self.kind = kind
        self.focal_weight = focal_weight
        self.gamma = gamma
        # The parts of the last value, for the log.
        self.terms: dict[str, Tensor] = {}

    def forward(self, logits: Tensor, masks: Tensor) -> Tensor:
        """Scalar loss of logits `(B, K, H, W)` against masks of the same shape: 1, 0, or -1 where nothing is known."""
        if logits.shape != masks.shape:
            raise SettingError(
                f"The network gives logits {tuple(logits.shape)} and the batch has masks {tuple(masks.shape)}: they "
                "must be equal; check names and image_size."
            )
        with torch.autocast(logits.device.type, enabled=False):
            learns = logits.requires_grad
            logits = logits if logits.dtype == torch.float64 else logits.float()
            masks = masks.to(logits.dtype)
            known = masks >= 0
            # Replaced and not multiplied away: 0 times an infinite logit is not 0.
            logits, masks = logits.masked_fill(~known, 0), masks.clamp(min=0)
            pixelwise = F.binary_cross_entropy_with_logits(logits, masks, reduction="none")
            if self.kind == "focal_dice":
                pixelwise = F.logsigmoid(-logits * (2 * masks - 1)).mul(self.gamma).exp() * pixelwise
            probability = logits.sigmoid() * known
            # One reduction over ranks for everything: [4, K].
            sums = torch.stack(
                [
                    (pixelwise * known).sum((0, 2, 3)),
                    known.sum((0, 2, 3)).to(logits.dtype),
                    (probability * masks).sum((0, 2, 3)),
                    (probability + masks).sum((0, 2, 3)),
                ]
            )
            # In validation each rank has as many batches as its part needs, and must not wait for the others' sums.
            error, count, both, either = sum_over_ranks(sums) if learns else sums
            pixel = error.sum() / count.sum().clamp(min=1)
            dice = (2 * both + SMOOTH) / (either + SMOOTH)
            overlap = -dice.log() if self.kind == "focal_dice" else 1 - dice
            # A mask that nobody knows has a Dice of 1 / 1, so that it only has to be left out of the mean.
            overlap = overlap.sum() / (count > 0).sum().clamp(min=1)
        self.terms = {"focal" if self.kind == "focal_dice" else "cross_entropy": pixel.detach()}
        self.terms["dice"] = overlap.detach()
        return (self.focal_weight * pixel if self.kind == "focal_dice" else pixel) + overlap
