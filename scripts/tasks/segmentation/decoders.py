"""From an encoder's maps to a map of the image's size: U-Net with skips, and SETR's progressive upsampling."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...errors import SettingError

UNET_CHANNELS = (256, 128, 64, 32, 16)
SETR_CHANNELS = (512, 256, 128, 64)


def convolution(in_channels: int, out_channels: int) -> nn.Sequential:
    """3 x 3 convolution, batch norm, ReLU."""
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )


class UNetDecoder(nn.Module):
    """U-Net decoder (Ronneberger et al. 2015) as segmentation_models_pytorch builds it, which the MGCA protocol uses.

    Each block doubles the size, joins the encoder's map of that size where there is one, and convolves twice. A map is
    resized to its skip, and at the end to the image, so the image's sides need not be multiples of the last stride.

    Args:
        channels: of the encoder's maps, finest first.
        strides: of the same maps: powers of two, growing.
        decoder_channels: of the blocks, coarsest first; one for each halving of the last map's stride.
        out_channels: of the result.
    """

    def __init__(
        self,
        channels: Sequence[int],
        strides: Sequence[int],
        decoder_channels: Sequence[int] = UNET_CHANNELS,
        out_channels: int = 1,
    ) -> None:
        super().__init__()
        blocks = strides[-1].bit_length() - 1
        if any(stride & (stride - 1) for stride in strides) or list(strides) != sorted(set(strides)):
            raise SettingError(f"A U-Net decoder needs maps of growing strides that are powers of two, not {strides}.")
        if len(decoder_channels) != blocks:
            raise SettingError(
                f"decoder_channels has {len(decoder_channels)} numbers; maps of strides {tuple(strides)} need {blocks}."
            )
        self.strides = [strides[-1] >> (block + 1) for block in range(blocks)]
        # Index of each block's skip; -1 where the encoder has no map of that size.
        self.skips = [strides.index(stride) if stride in strides else -1 for stride in self.strides]
        before = [channels[-1], *decoder_channels[:-1]]
        joined = [channels[skip] if skip >= 0 else 0 for skip in self.skips]
        self.blocks = nn.ModuleList(
            nn.Sequential(convolution(inner + extra, outer), convolution(outer, outer))
            for inner, extra, outer in zip(before, joined, decoder_channels)
        )
        self.head = nn.Conv2d(decoder_channels[-1], out_channels, 3, padding=1)

    def forward(self, maps: list[Tensor], height: int, width: int) -> Tensor:
        """The encoder's maps, finest first, to `(B, out_channels, height, width)`."""
        x = maps[-1]
        for i, block in enumerate(self.blocks):
            skip, stride = self.skips[i], self.strides[i]
            if skip >= 0:
                x = F.interpolate(x, size=maps[skip].shape[-2:], mode="nearest")
                x = torch.cat([x, maps[skip]], dim=1)
            else:
                size = [(height + stride - 1) // stride, (width + stride - 1) // stride]
                x = F.interpolate(x, size=size, mode="nearest")
            x = block(x)
        return self.head(x)


class TokenDecoder(nn.Module):
    """SETR-PUP (Zheng et al. 2021, §3.2) for a transformer's one map of patch tokens.

    Convolution and bilinear doubling in turn; the last step goes to the image's own size instead of doubling, so that
    a patch of 14 pixels fits as well as one of 16. The 1 x 1 classifier comes before that step: both are linear and
    commute, and resizing the classes costs less than resizing 64 channels.

    Args:
        in_channels: of the tokens.
        decoder_channels: of the convolutions.
        out_channels: of the result.
    """

    def __init__(
        self, in_channels: int, decoder_channels: Sequence[int] = SETR_CHANNELS, out_channels: int = 1
    ) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            convolution(inner, outer) for inner, outer in zip([in_channels, *decoder_channels[:-1]], decoder_channels)
        )
        self.head = nn.Conv2d(decoder_channels[-1], out_channels, 1)

    def forward(self, maps: list[Tensor], height: int, width: int) -> Tensor:
        """One map `(B, in_channels, h, w)` to `(B, out_channels, height, width)`."""
        x = maps[-1]
        for i, block in enumerate(self.blocks):
            if i > 0:
                x = F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
            x = block(x)
        return F.interpolate(self.head(x), size=[height, width], mode="bilinear", align_corners=False)
