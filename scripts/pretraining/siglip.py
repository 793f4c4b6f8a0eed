"""Sigmoid loss: each image with each report of the batch is a yes-or-no question of its own.

Zhai, Mustafa, Kolesnikov, Beyer: "Sigmoid Loss for Language Image Pre-Training", ICCV 2023 (arXiv 2303.15343).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import nn

from .infonce import ConVirt, false_negatives, similarities

# The paper's: with its bias a fresh network says no to every pair, as is right of all but one in N.
LOG_SCALE, BIAS = math.log(10), -10.0


class SigLip(ConVirt):
    """`ConVirt`'s module with the paper's start of the temperature, and its bias; the arguments are `ConVirt`'s."""

    def __init__(self, *args: object, **options: object) -> None:
        super().__init__(*args, **options)  # type: ignore[arg-type]
        nn.init.constant_(self.log_scale, LOG_SCALE)
        self.bias = nn.Parameter(torch.tensor(BIAS))

    def forward(self, image: torch.Tensor, text: torch.Tensor) -> dict[str, torch.Tensor]:
        """As `ConVirt.forward`, and `bias`."""
        # A copy: the optimizer changes the parameter in place.
        return super().forward(image, text) | {"bias": self.bias.clone()}


class SigLipLoss(nn.Module):
    """Mean over the images of the summed -log sigmoid(± (scale * cosine + bias)): + for its report, - for the others'
    (equation 1 of the paper); over the batch of all ranks, the same value for one process and for many.
    """

    def __init__(self) -> None:
        super().__init__()
        # The parts of the last value, for the log.
        self.terms: dict[str, torch.Tensor] = {}

    def forward(self, pred: dict[str, torch.Tensor], target: torch.Tensor | None = None) -> torch.Tensor:
        """Scalar loss of `SigLip.forward`'s output; `target` as for `InfoNCELoss`: such pairs are left out."""
        with torch.autocast(pred["image_projection"].device.type, enabled=False):
            logits = pred["scale"] * similarities(pred) + pred["bias"]
            own = torch.eye(len(logits), device=logits.device, dtype=torch.bool)
            losses = -F.logsigmoid(torch.where(own, logits, -logits))
            if target is not None:
                losses = losses.masked_fill(false_negatives(target), 0)
            positives, negatives = losses.diagonal().mean(), losses.masked_fill(own, 0).sum(dim=1).mean()
        self.terms = {
            "positives": positives.detach(),
            "negatives": negatives.detach(),
            "temperature": 1 / pred["scale"].detach(),
            "bias": pred["bias"].detach(),
        }
        return positives + negatives
