"""MONAI's 2-D DenseNet as an encoder: its maps, and the names that torchvision's weights have in it."""

from __future__ import annotations

import re
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from ..errors import CxrError
from .base import FeatureEncoder


def densenet(name: str, **options: Any) -> nn.Module:
    """MONAI's DenseNet for three-channel images with random weights, giving its pooled features: its class layer is
    taken out, as `feed_forward=False` does it in MONAI's ResNet.

    Args:
        name: one of `DENSENETS`.
        options: arguments of MONAI's class (`growth_rate=8`).

    Raises:
        CxrError: it does not take these options.
    """
    from monai.networks.nets import densenet as monai_densenet

    try:
        settings = {"spatial_dims": 2, "in_channels": 3, "out_channels": 1, **options}
        body: nn.Module = getattr(monai_densenet, name)(**settings)
    except TypeError as error:
        raise CxrError(f"encoder_options: '{name}' does not take them ({error}).") from error
    del body.get_submodule("class_layers").out
    return body


def monai_name(key: str) -> str:
    """MONAI's name of a dense layer's weight for torchvision's (`denselayer1.norm1.`, in old files `norm.1.`); any
    other key stays as it is.
    """
    return re.sub(r"(denselayer\d+)\.(norm|conv)\.?([12])\.", r"\1.layers.\2\3.", key)


class DenseNetEncoder(FeatureEncoder):
    """MONAI's 2-D DenseNet: the stem's map before its max pooling, and what each dense block gives after the norm and
    ReLU that follow it, strides 2 to 32; the pooled vector is the last one's global average.

    TorchScript, torch.export and ONNX take it.
    """

    def __init__(self, body: nn.Module) -> None:
        super().__init__(body)
        self.grey = self.body.features.conv0.in_channels == 1
        self._measure()

    def forward(self, image: torch.Tensor) -> list[torch.Tensor]:
        """See `FeatureEncoder`; five maps."""
        if self.grey:
            image = image[:, :1]
        parts = self.body.features  # TorchScript calls no module that it finds in a tuple or behind a second name
        stem = parts.relu0(parts.norm0(parts.conv0(image)))
        first = parts.transition1.relu(parts.transition1.norm(parts.denseblock1(parts.pool0(stem))))
        below = parts.transition1.pool(parts.transition1.conv(first))
        second = parts.transition2.relu(parts.transition2.norm(parts.denseblock2(below)))
        below = parts.transition2.pool(parts.transition2.conv(second))
        third = parts.transition3.relu(parts.transition3.norm(parts.denseblock3(below)))
        below = parts.transition3.pool(parts.transition3.conv(third))
        return [stem, first, second, third, F.relu(parts.norm5(parts.denseblock4(below)))]

    @torch.jit.export
    def pooled(self, image: torch.Tensor) -> torch.Tensor:
        """See `FeatureEncoder`."""
        return self.forward(image)[4].mean((2, 3))

    def stages(self) -> list[nn.Module]:
        """See `FeatureEncoder`: the stem, and the four dense blocks, each with what follows it."""
        parts = self.body.features
        ends = (parts.transition1, parts.transition2, parts.transition3, parts.norm5)
        blocks = (parts.denseblock1, parts.denseblock2, parts.denseblock3, parts.denseblock4)
        return [
            nn.ModuleList([parts.conv0, parts.norm0]),
            *(nn.ModuleList(pair) for pair in zip(blocks, ends, strict=True)),
        ]

    def _draw(self, kernel: torch.Tensor) -> None:
        nn.init.kaiming_normal_(kernel)
