"""The baseline without reports: the encoder learns the data set's labels."""

from __future__ import annotations

from contextlib import nullcontext

import torch
from torch import nn

from ..channels_last import channels_last
from ..precision import Precision, autocast_enabled, check_precision
from ..tasks.classification.network import ClassificationLoss
from .dual_encoder import feature_dim


class Supervised(nn.Module):
    """Image encoder and a logit a finding; there is no space that images and reports share.

    Args:
        encoder: maps images `(B, C, H, W)` to pooled features `(B, image_dim)`. It is trained, and it is what is kept.
        classes: number of findings C.
        precision: see `DualEncoder`.
    """

    def __init__(self, encoder: nn.Module, classes: int, precision: Precision = "auto") -> None:
        check_precision(precision)
        super().__init__()
        self.encoder = channels_last(encoder)
        self.head = nn.Linear(feature_dim(encoder), classes)
        self.precision = precision

    def forward(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        """Images `(B, C, H, W)` to `image_features` `(B, image_dim)` and `logits` `(B, classes)`, float32."""
        image = image.contiguous(memory_format=torch.channels_last)
        half = autocast_enabled(self.precision, image.device)
        with torch.autocast(image.device.type, torch.bfloat16) if half else nullcontext():
            features = self.encoder(image)
            logits = self.head(features)
        return {"image_features": features.float(), "logits": logits.float()}


class SupervisedLoss(nn.Module):
    """Mean binary cross entropy over the labels that are known (1 or 0), of all ranks together."""

    def __init__(self) -> None:
        super().__init__()
        self.entropy = ClassificationLoss("multilabel")

    def forward(self, pred: dict[str, torch.Tensor], target: torch.Tensor) -> torch.Tensor:
        """Loss of `Supervised.forward`'s output under labels `(B, C)` of 1, 0, -1 (uncertain) and NaN (unknown)."""
        return self.entropy(pred["logits"], target.masked_fill(target < 0, torch.nan))
