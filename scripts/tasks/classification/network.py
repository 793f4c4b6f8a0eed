"""The classification network, a linear or MLP head on any encoder, and its loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...distributed import sum_over_ranks
from ...encoders.factory import feature_encoder
from ...encoders.feature_scale import Standardize
from ...errors import SettingError
from ...metrics.binary import Mode


class Classifier(nn.Module):
    """A logit a class from the encoder's pooled features.

    A ResNet's network can be scripted, a transformer's traced; both go through `torch.export` and to ONNX.

    Args:
        encoder: anything that `scripts.encoders.feature_encoder` takes.
        classes: number of logits C.
        head: `linear`, a linear probe when the encoder is frozen; `mlp`, hidden layer, batch norm, ReLU, dropout and
            a linear layer (the Adaptor's downstream head).
        hidden: width of the MLP.
        dropout: of the MLP.
        encoder_options: for `feature_encoder`.
    """

    def __init__(
        self,
        encoder: str | Mapping[str, Any] | nn.Module,
        classes: int,
        head: Literal["linear", "mlp"] = "linear",
        hidden: int = 512,
        dropout: float = 0.1,
        encoder_options: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        if classes < 1:
            raise SettingError(f"A classification network needs at least one class to learn, got classes={classes}.")
        if head not in ("linear", "mlp"):
            raise SettingError(f"head must be linear or mlp, not {head!r}.")
        self.encoder = feature_encoder(encoder, **(encoder_options or {}))
        self.standardize = Standardize(self.encoder.dim)
        self.head: nn.Module
        if head == "linear":
            self.head = nn.Linear(self.encoder.dim, classes)
        else:
            self.head = nn.Sequential(
                nn.Linear(self.encoder.dim, hidden),
                nn.BatchNorm1d(hidden),
                nn.ReLU(),
                nn.Dropout(dropout),
                nn.Linear(hidden, classes),
            )
        # Zeros mark a fresh bias, which `scripts.tasks.classification.StartFromPrevalence` sets.
        nn.init.zeros_([layer for layer in self.head.modules() if isinstance(layer, nn.Linear)][-1].bias)

    def forward(self, image: Tensor) -> Tensor:
        """Images `(B, 3, H, W)`, or pooled features `(B, dim)` that were cached, to logits `(B, C)`."""
        features = image if image.dim() == 2 else self.encoder.pooled(image)
        return self.head(self.standardize(features))


class ClassificationLoss(nn.Module):
    """Mean of the binary cross entropy over the known labels, or the cross entropy of one class an image.

    The mean is over the batch of all ranks together, whatever each knows: with DistributedDataParallel, which averages
    gradients, the result does not depend on the number of ranks. Without gradient (validation) it is the rank's own,
    since ranks may then differ in their number of batches.

    Args:
        mode: `multilabel` (also for one class) or `multiclass`.
        pos_weight: of the positives in `multilabel`, a number a class or one for all.
    """

    def __init__(self, mode: Mode = "multilabel", pos_weight: float | Sequence[float] | None = None) -> None:
        super().__init__()
        if mode not in ("multilabel", "multiclass"):
            raise SettingError(f"mode must be multilabel or multiclass, not {mode!r}.")
        if pos_weight is not None and mode == "multiclass":
            raise SettingError("pos_weight is for multilabel classification: with one class an image leave it out.")
        self.mode = mode
        self.pos_weight = None if pos_weight is None else torch.as_tensor(pos_weight, dtype=torch.float32)

    def forward(self, logits: Tensor, label: Tensor) -> Tensor:
        """Loss of logits `(B, C)` under labels `(B, C)` of 1, 0 and NaN (left out); 0 when nothing is known."""
        if logits.shape != label.shape:
            raise SettingError(
                f"The network gives logits {tuple(logits.shape)} and the batch has labels {tuple(label.shape)}: they "
                "must be equal; names and the items' label must list the same classes."
            )
        logits = logits if logits.dtype == torch.float64 else logits.float()
        label = label.to(logits)
        unknown = label.isnan()
        if self.mode == "multiclass":
            if label.shape[1] < 2:
                raise SettingError("multiclass needs two classes or more; one finding is mode=multilabel.")
            known = ~unknown.any(dim=1)
            losses = F.cross_entropy(logits, label.nan_to_num(0).argmax(dim=1), reduction="none")
        else:
            known = ~unknown
            pos_weight = None if self.pos_weight is None else self.pos_weight.to(logits)
            losses = F.binary_cross_entropy_with_logits(
                logits, label.nan_to_num(0), pos_weight=pos_weight, reduction="none"
            )
        # A product and not an index: a batch without a known label still reaches every parameter, as DDP demands.
        total, count = (losses * known).sum(), known.sum().to(losses.dtype)
        if logits.requires_grad:
            total, count = sum_over_ranks(total), sum_over_ranks(count)
        return total / count.clamp(min=1)
