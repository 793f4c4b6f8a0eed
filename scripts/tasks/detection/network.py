"""The detection network: an encoder, a feature pyramid on it, RetinaNet's two heads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from monai.apps.detection.networks.retinanet_network import RetinaNetClassificationHead, RetinaNetRegressionHead
from monai.networks.blocks.feature_pyramid_network import FeaturePyramidNetwork, LastLevelMaxPool
from torch import Tensor, nn

from ...encoders.factory import feature_encoder
from .anchors import ANCHORS, LEVELS


class Detector(nn.Module):
    """RetinaNet (Lin et al. 2017) on any encoder, with the output of MONAI's `RetinaNet` and without torchvision.

    An encoder of several maps gives its last three (strides 8, 16, 32 of a ResNet). A transformer gives one; it becomes
    three by a transposed convolution, itself and a pooling, as in ViTDet's simple pyramid (Li et al. 2022). A fourth,
    coarsest map for the lungs is pooled from the pyramid.

    Args:
        encoder: whatever `scripts.encoders.feature_encoder` takes.
        classes: kinds of boxes.
        encoder_options: arguments of the encoder's function.
        fpn_channels: width of the pyramid and the heads, a multiple of 8.
        prior: score of every anchor before training; RetinaNet's 0.01 keeps thousands of easy negatives from drowning
            the first steps.
    """

    # What MONAI's RetinaNetDetector asks of a network.
    spatial_dims = 2
    size_divisible = 1
    num_anchors = ANCHORS
    cls_key = "classification"
    box_reg_key = "box_regression"

    def __init__(
        self,
        encoder: str | Mapping[str, Any] | nn.Module,
        classes: int,
        encoder_options: Mapping[str, Any] | None = None,
        fpn_channels: int = 128,
        prior: float = 0.01,
    ) -> None:
        super().__init__()
        self.num_classes = classes
        self.encoder = feature_encoder(encoder, **(encoder_options or {}))
        channels = list(self.encoder.channels[1 - LEVELS :])
        self.spread = None if len(channels) == LEVELS - 1 else Spread(channels[-1])
        if self.spread is not None:
            channels = self.spread.channels
        self.pyramid = FeaturePyramidNetwork(2, channels, fpn_channels, LastLevelMaxPool(2))
        self.classification_head = RetinaNetClassificationHead(fpn_channels, ANCHORS, classes, 2, prior)
        self.regression_head = RetinaNetRegressionHead(fpn_channels, ANCHORS, 2)

    def forward(self, image: Tensor) -> dict[str, list[Tensor]]:
        """Raw outputs of each level, finest first.

        Args:
            image: `(B, 3, H, W)`.

        Returns:
            `classification`: logits `(B, ANCHORS * classes, h, w)`; `box_regression`: offsets `(B, ANCHORS * 4, h, w)`
            to the anchors, in MONAI's row-first order.
        """
        maps = self.encoder(image)[1 - LEVELS :]
        if self.spread is not None:
            maps = self.spread(maps[-1])
        levels = list(self.pyramid({str(i): found for i, found in enumerate(maps)}).values())
        return {"classification": self.classification_head(levels), "box_regression": self.regression_head(levels)}


class Spread(nn.Module):
    """One map to three: twice as fine, itself, half as fine."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = [channels // 2, channels, channels]
        self.finer = nn.ConvTranspose2d(channels, channels // 2, 2, 2)
        self.coarser = nn.MaxPool2d(2)

    def forward(self, found: Tensor) -> list[Tensor]:
        """`(B, C, h, w)` to three maps, finest first."""
        return [self.finer(found), found, self.coarser(found)]
