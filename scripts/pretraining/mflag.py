"""M-FLAG: a trained image encoder aligned with a frozen language model, plus latent-space orthogonality.

Liu, Cheng, Chen, Qiao, Zhang, Shah, Bai, Arcucci: "M-FLAG: Medical Vision-Language Pre-training with Frozen Language
Models and Latent Space Geometry Optimization", MICCAI 2023 (arXiv 2307.08347).
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import nn

from ..distributed import count_over_ranks, sum_over_ranks
from ..precision import Precision
from .dual_encoder import DualEncoder, feature_dim
from .orthogonality import LAMBDA_OFFDIAG, Normalize, orthogonality


def projector(in_dim: int, hidden_dim: int, out_dim: int) -> nn.Sequential:
    """Linear, batch norm, ReLU, linear, batch norm without affine parameters (the authors' projector)."""
    return nn.Sequential(
        nn.Linear(in_dim, hidden_dim),
        nn.BatchNorm1d(hidden_dim),
        nn.ReLU(inplace=True),
        nn.Linear(hidden_dim, out_dim),
        nn.BatchNorm1d(out_dim, affine=False),
    )


class MFlag(DualEncoder):
    """Image encoder and the authors' two projectors.

    Args:
        encoder: maps images `(B, C, H, W)` to pooled features `(B, image_dim)`. It is trained, and it is what is kept.
        image_dim: width of the encoder's features; None asks the encoder with one small image.
        text_dim: width of the frozen text embedding (768 for BERT-base, 384 for MiniLM).
        hidden_dim, out_dim: of both projectors.
        precision: see `DualEncoder`.
    """

    def __init__(
        self,
        encoder: nn.Module,
        text_dim: int,
        image_dim: int | None = None,
        hidden_dim: int = 2048,
        out_dim: int = 1024,
        precision: Precision = "auto",
    ) -> None:
        image_dim = feature_dim(encoder) if image_dim is None else image_dim
        super().__init__(
            encoder,
            projector(image_dim, hidden_dim, out_dim),
            projector(text_dim, hidden_dim, out_dim),
            precision,
        )


def alignment_loss(image_projection: torch.Tensor, text_projection: torch.Tensor) -> torch.Tensor:
    """Mean over the batch of all ranks of 4 - 4 cos(image, text): the authors' symmetric (2 - 2 cos) counted twice."""
    with torch.autocast(image_projection.device.type, enabled=False):
        if image_projection.dtype != torch.float64:
            image_projection, text_projection = image_projection.float(), text_projection.float()
        cosine = F.cosine_similarity(image_projection, text_projection, dim=1)
        return 4 - 4 * sum_over_ranks(cosine.sum()) / count_over_ranks(cosine)


class MFlagLoss(nn.Module):
    """Alignment plus `weight` times orthogonality; the same value for one process and for many.

    The authors' setting is `where="features", normalize="none", weight=1`. On real pairs it collapses what it should
    spread; the default puts the standardised term on the image projections (docs/pretraining.md has the comparison).

    Args:
        where: `features` (the encoder's pooled features, as coded by the authors) or `projections` (of the image).
        normalize, lambda_offdiag: see `orthogonality`.
        weight: of the orthogonality term; 0 leaves alignment alone.
    """

    def __init__(
        self,
        where: Literal["features", "projections"] = "projections",
        normalize: Normalize = "standardize",
        lambda_offdiag: float = LAMBDA_OFFDIAG,
        weight: float = 0.02,
    ) -> None:
        super().__init__()
        if where not in ("features", "projections"):
            raise ValueError(f"where must be 'features' or 'projections', not {where!r}")
        self.key = "image_features" if where == "features" else "image_projection"
        self.normalize = normalize
        self.lambda_offdiag = lambda_offdiag
        self.weight = weight
        # The parts of the last value, for the log.
        self.terms: dict[str, torch.Tensor] = {}

    def forward(self, pred: dict[str, torch.Tensor], target: torch.Tensor | None = None) -> torch.Tensor:
        """Scalar loss of `MFlag.forward`'s output; `target` is there for the trainer's call and is not used."""
        alignment = alignment_loss(pred["image_projection"], pred["text_projection"])
        decorrelation = orthogonality(pred[self.key], self.normalize, self.lambda_offdiag)
        self.terms = {"alignment": alignment.detach(), "orthogonality": decorrelation.detach()}
        return alignment + self.weight * decorrelation
