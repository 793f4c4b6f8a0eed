"""Symmetric InfoNCE: each image tells its report from the others' of the batch, each report its image.

Zhang, Jiang, Miura, Manning, Langlotz: "Contrastive Learning of Medical Visual Representations from Paired Images and
Text" (ConVIRT, MLHC 2022, arXiv 2010.00747); the learnable temperature and the batch of all ranks are CLIP's (Radford
et al., ICML 2021).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import nn

from ..distributed import gather_over_ranks
from ..precision import Precision
from .dual_encoder import DualEncoder, feature_dim, single

LOG_SCALE = math.log(1 / 0.07)
MAX_LOG_SCALE = math.log(100)


class ConVirt(DualEncoder):
    """Image encoder, a projector with one hidden layer for each side, and a learnable temperature.

    ConVIRT's own text encoder is trained; here it is the frozen language model, as in every method of this bundle.

    Args:
        encoder, text_dim, image_dim, precision: see `MFlag`.
        hidden_dim, out_dim: of both projectors.
    """

    def __init__(
        self,
        encoder: nn.Module,
        text_dim: int,
        image_dim: int | None = None,
        hidden_dim: int = 512,
        out_dim: int = 512,
        precision: Precision = "auto",
    ) -> None:
        image_dim = feature_dim(encoder) if image_dim is None else image_dim
        super().__init__(
            encoder, _projector(image_dim, hidden_dim, out_dim), _projector(text_dim, hidden_dim, out_dim), precision
        )
        self.log_scale = nn.Parameter(torch.tensor(LOG_SCALE))

    def forward(self, image: torch.Tensor, text: torch.Tensor) -> dict[str, torch.Tensor]:
        """As `DualEncoder.forward`, and `scale`, the inverse of the temperature, at most 100."""
        with torch.no_grad():  # CLIP's limit; a clamp within the graph would leave no gradient to come back by
            self.log_scale.clamp_(max=MAX_LOG_SCALE)
        return super().forward(image, text) | {"scale": self.log_scale.exp()}


class InfoNCELoss(nn.Module):
    """`image_weight` times the cross entropy of each image over the reports, and the rest of each report over the
    images; over the batch of all ranks, with gradient, and the same value for one process and for many.

    Args:
        image_weight: 0.5 is CLIP's. ConVIRT's authors take 0.75 (their λ, of image to text); the Adaptor's give 0.75 to
            the other direction, which is 0.25 here.
    """

    def __init__(self, image_weight: float = 0.5) -> None:
        super().__init__()
        self.image_weight = image_weight
        # The parts of the last value, for the log.
        self.terms: dict[str, torch.Tensor] = {}

    def forward(self, pred: dict[str, torch.Tensor], target: torch.Tensor | None = None) -> torch.Tensor:
        """Scalar loss of a contrastive method's output.

        Args:
            pred: `image_projection`, `text_projection` `(B, D)` and `scale`.
            target: identities `(B, 2)` of report and study (`scripts.engine.PrepareImageReport`): a pair that shares
                one of the two is no negative. None takes all others for negatives.
        """
        with torch.autocast(pred["image_projection"].device.type, enabled=False):
            logits = pred["scale"] * similarities(pred)
            if target is not None:
                logits = logits.masked_fill(false_negatives(target), -torch.inf)
            own = torch.arange(len(logits), device=logits.device)
            to_report, to_image = F.cross_entropy(logits, own), F.cross_entropy(logits.T, own)
        self.terms = {
            "image_to_report": to_report.detach(),
            "report_to_image": to_image.detach(),
            "temperature": 1 / pred["scale"].detach(),
        }
        return self.image_weight * to_report + (1 - self.image_weight) * to_image


def similarities(pred: dict[str, torch.Tensor]) -> torch.Tensor:
    """`(N, N)` cosines of the N images and N reports of all ranks, in float32 (float64 stays)."""
    image, text = (
        gather_over_ranks(F.normalize(single(side), dim=1))
        for side in (pred["image_projection"], pred["text_projection"])
    )
    return image @ text.T


def false_negatives(target: torch.Tensor) -> torch.Tensor:
    """`(N, N)` True where two different items of all ranks share an identity: a column of `target`, `(B, k)`."""
    identity = gather_over_ranks(target)
    shared = (identity[:, None] == identity[None]).any(dim=2)
    return shared.fill_diagonal_(False)


def _projector(in_dim: int, hidden_dim: int, out_dim: int) -> nn.Sequential:
    """ConVIRT's: linear, ReLU, linear."""
    return nn.Sequential(nn.Linear(in_dim, hidden_dim), nn.ReLU(inplace=True), nn.Linear(hidden_dim, out_dim))
