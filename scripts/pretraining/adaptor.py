"""Adaptor: both encoders frozen, a light module between them trained by InfoNCE.

Qin, Liu, Cheng, Guo, Arcucci: "Freeze the Backbones: A Parameter-Efficient Contrastive Approach to Robust Medical
Vision-Language Pre-training", ICASSP 2024 (arXiv 2401.01179).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from ..encoders.adapted import AdaptedEncoder
from ..encoders.factory import feature_encoder
from ..errors import CxrError
from ..precision import Precision
from .dual_encoder import DualEncoder
from .infonce import LOG_SCALE, MAX_LOG_SCALE


class Adaptor(DualEncoder):
    """A bias-free projection a modality, the same transformer layers for both, and a learnable temperature.

    With the published sizes and 768-d text it trains 12,011,009 / 11,912,705 / 12,207,617 parameters on image features
    of 512 / 384 / 768 numbers. Image and text never see each other, so that either can be embedded alone. Its loss is
    `InfoNCELoss(image_weight=0.25)`: the authors' code gives 0.75 to each report over the images (the rows of its
    `logits_per_text`); the abstract only says that the objective is contrastive.

    Args:
        encoder: a `PooledEncoder` of the encoder "adaptor" (`scripts.encoders.adapted`), which holds the image side and
            the shared layers. Images come in as pixels, or as what its `frozen_features` made of them.
        text_dim, precision: see `DualEncoder`.
    """

    def __init__(self, encoder: nn.Module, text_dim: int, precision: Precision = "auto") -> None:
        adapted = feature_encoder(encoder)
        if not isinstance(adapted, AdaptedEncoder):
            raise CxrError(
                f"The Adaptor stands on an encoder of the kind 'adaptor', not on {type(adapted.body).__name__}: "
                "put configs/adaptor.json over configs/train.json."
            )
        super().__init__(encoder, nn.Identity(), nn.Linear(text_dim, adapted.dim, bias=False), precision)
        # In a tuple: the layers are the encoder's already, and stand once in the state dict.
        self._tower = (adapted.adaptor,)
        self.log_scale = nn.Parameter(torch.tensor(LOG_SCALE))

    def forward(self, image: torch.Tensor, text: torch.Tensor) -> dict[str, torch.Tensor]:
        """As `DualEncoder.forward`, and `scale`, the inverse of the temperature, at most 100."""
        with torch.no_grad():
            self.log_scale.clamp_(max=MAX_LOG_SCALE)
        return super().forward(image, text) | {"scale": self.log_scale.exp()}

    def project_image(self, features: torch.Tensor) -> torch.Tensor:
        """See `DualEncoder`: the length of the image tower's output is taken away."""
        return F.normalize(features.float(), dim=1)

    def project_text(self, text: torch.Tensor) -> torch.Tensor:
        """See `DualEncoder`: the text tower, a report being a sequence of one token."""
        (tower,) = self._tower
        token = F.normalize(self.text_projector(text), dim=1)[:, None]
        return F.normalize(tower.look(token)[:, 0].float(), dim=1)
