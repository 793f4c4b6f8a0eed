"""An encoder as the tasks see it: its maps, its pooled vector, its stages, and whether it is frozen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import torch
from torch import nn
from torch.func import functional_call

from ..errors import CxrError
from .normalization import Normalization, normalize_images

_PROBE = 224  # pixels; only shapes are computed, so that a larger image would cost nothing


class FeatureEncoder(nn.Module):
    """Wraps the body of an encoder; `scripts.encoders.wrap_encoder` finds the wrapper that fits.

    Attributes:
        body: the encoder itself; the keys of a task network's state dict are `encoder.body.*`.
        dim: width of the pooled vector.
        channels: of each map, finest first.
        strides: pixels of the image a cell of each map, finest first.
        frozen: the body is a fixed function of the image (see `freeze`).
    """

    if TYPE_CHECKING:  # not at run time: TorchScript reads annotations of the class, and knows neither Any nor strings
        body: Any

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body
        self.frozen = False
        self.dim = 0
        self.channels: tuple[int, ...] = ()
        self.strides: tuple[int, ...] = ()

    def forward(self, image: torch.Tensor) -> list[torch.Tensor]:
        """`(B, 3, H, W)` to maps `(B, channels[i], H / strides[i], W / strides[i])`, finest first."""
        raise NotImplementedError

    def pooled(self, image: torch.Tensor) -> torch.Tensor:
        """`(B, 3, H, W)` to `(B, dim)`."""
        raise NotImplementedError

    def pooled_and_maps(self, image: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """`pooled` and `forward` in one pass; here for encoders whose pooled vector is their last map's average."""
        maps = self.forward(image)
        return maps[-1].mean((2, 3)), maps

    @torch.jit.ignore
    def normalize(self, wanted: Normalization) -> None:
        """Has the encoder take its images by another mean and deviation than the workflows', from now on.

        Raises:
            CxrError: its images have other channels.
        """
        normalize_images(self.body, wanted)

    def stages(self) -> list[nn.Module]:
        """The body in parts, input to output: what layer-wise learning rates step through."""
        raise NotImplementedError

    def frozen_features(self, image: torch.Tensor) -> torch.Tensor:
        """What of an image `(B, 3, H, W)` stays the same while a frozen encoder's head trains, and may be kept: the
        pooled vectors `(B, dim)`.
        """
        return self.pooled(image)

    def frozen_part(self) -> nn.Module:
        """The module whose weights `frozen_features` depend on."""
        return self

    def reinitialize(self) -> None:
        """Fresh weights in place, from torch's global generator: each layer that has a `reset_parameters` draws anew,
        then the convolutions as the network's own constructor draws them.
        """
        for module in self.body.modules():
            if hasattr(module, "reset_parameters"):
                module.reset_parameters()
            if isinstance(module, nn.Conv2d):
                self._draw(module.weight)

    def _draw(self, kernel: torch.Tensor) -> None:
        """A convolution's fresh weights: MONAI's ResNet scheme."""
        nn.init.kaiming_normal_(kernel, mode="fan_out", nonlinearity="relu")

    def freeze(self) -> Self:
        """The body learns nothing more, and stays in eval mode (batch norm's statistics, dropout) whatever a trainer's
        `train()` says.
        """
        self.frozen = True
        self.requires_grad_(False)
        return self.eval()

    def train(self, mode: bool = True) -> Self:
        """As any module; a frozen one stays in eval mode."""
        return super().train(mode and not self.frozen)

    def _measure(self) -> None:
        """Sets `dim`, `channels` and `strides` by computing the shapes of one image's maps, and nothing else."""
        tensors = {**dict(self.named_parameters()), **dict(self.named_buffers())}
        shapes = {name: tensor.detach().to("meta") for name, tensor in tensors.items()}
        with torch.no_grad():
            maps = functional_call(self, shapes, (torch.empty(1, 3, _PROBE, _PROBE, device="meta"),))
        if any(found.ndim != 4 for found in maps):
            raise CxrError(f"{type(self.body).__name__} gives no maps `(B, C, H, W)`.")
        self.channels = tuple(found.shape[1] for found in maps)
        self.strides = tuple(round(_PROBE / found.shape[-1]) for found in maps)
        self.dim = self.channels[-1]
