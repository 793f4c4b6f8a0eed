"""MONAI's 2-D ResNet as an encoder: its maps."""

from __future__ import annotations

import torch
from torch import nn

from .base import FeatureEncoder


class ResNetEncoder(FeatureEncoder):
    """MONAI's 2-D ResNet: the stem's map before its max pooling and the four stages', strides 2 to 32 where
    `conv1_t_stride` is 2; the pooled vector is the stock network's own output without its `fc`.

    TorchScript, torch.export and ONNX take it.
    """

    def __init__(self, body: nn.Module) -> None:
        super().__init__(body)
        self.grey = self.body.conv1.in_channels == 1
        self._measure()

    def forward(self, image: torch.Tensor) -> list[torch.Tensor]:
        """See `FeatureEncoder`; five maps."""
        if self.grey:
            image = image[:, :1]
        stem = self.body.act(self.body.bn1(self.body.conv1(image)))
        first = self.body.layer1(stem if self.body.no_max_pool else self.body.maxpool(stem))
        second = self.body.layer2(first)
        third = self.body.layer3(second)
        return [stem, first, second, third, self.body.layer4(third)]

    @torch.jit.export
    def pooled(self, image: torch.Tensor) -> torch.Tensor:
        """See `FeatureEncoder`; the last map's global average."""
        return self.body.avgpool(self.forward(image)[4]).flatten(1)

    def stages(self) -> list[nn.Module]:
        """See `FeatureEncoder`: the stem and the four stages."""
        body = self.body
        return [nn.ModuleList([body.conv1, body.bn1]), body.layer1, body.layer2, body.layer3, body.layer4]
