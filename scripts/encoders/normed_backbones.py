"""Backbones of transformers with the final norm of their model, which its pooled vector goes through and which they
leave out.
"""

from __future__ import annotations

from typing import Any

from torch import nn
from transformers.models.dinov3_convnext.modeling_dinov3_convnext import DINOv3ConvNextBackbone
from transformers.models.swinv2.modeling_swinv2 import Swinv2Backbone


class NormedSwinv2(Swinv2Backbone):
    """With `Swinv2Model`'s `layernorm`."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.layernorm = nn.LayerNorm(self.num_features[-1], eps=config.layer_norm_eps)


class NormedDINOv3ConvNext(DINOv3ConvNextBackbone):
    """With `DINOv3ConvNextModel`'s `layer_norm`."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.layer_norm = nn.LayerNorm(self.num_features[-1], eps=config.layer_norm_eps)


NORMED = {"swinv2": NormedSwinv2, "dinov3_convnext": NormedDINOv3ConvNext}
