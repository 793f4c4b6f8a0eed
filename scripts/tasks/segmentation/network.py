"""The segmentation network: any encoder of the project under the decoder that suits its maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from ...encoders.factory import feature_encoder
from ...errors import SettingError
from .decoders import SETR_CHANNELS, UNET_CHANNELS, TokenDecoder, UNetDecoder


class Segmenter(nn.Module):
    """A logit a pixel for each of several masks, which may overlap.

    Convolutional encoders get a U-Net decoder with skips, transformers with their one map of tokens SETR's. A
    ResNet's network can be scripted, a transformer's traced; both go through `torch.export` and to ONNX.

    Args:
        encoder: anything that `scripts.encoders.feature_encoder` takes.
        classes: number of masks K.
        decoder_channels: of the decoder's steps, coarsest first; None = 256, 128, 64, 32, 16 with skips (the MGCA
            protocol's 9.01 M parameters on a ResNet-50), 512, 256, 128, 64 on tokens.
        encoder_options: for `feature_encoder`.
    """

    def __init__(
        self,
        encoder: str | Mapping[str, Any] | nn.Module,
        classes: int,
        decoder_channels: Sequence[int] | None = None,
        encoder_options: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        if classes < 1:
            raise SettingError(f"A segmentation network needs at least one mask to learn, got classes={classes}.")
        self.encoder = feature_encoder(encoder, **(encoder_options or {}))
        channels, strides = tuple(self.encoder.channels), tuple(self.encoder.strides)
        self.decoder: UNetDecoder | TokenDecoder
        if len(channels) > 1:
            self.decoder = UNetDecoder(channels, strides, decoder_channels or UNET_CHANNELS, classes)
        else:
            self.decoder = TokenDecoder(channels[0], decoder_channels or SETR_CHANNELS, classes)

    def forward(self, image: Tensor) -> Tensor:
        """Images `(B, 3, H, W)` to logits `(B, K, H, W)`; H and W may be any size, and differ."""
        height, width = image.shape[-2:]
        return self.decoder(self.encoder(image), height, width)
