"""Any encoder in the form that pre-training takes: images in, pooled features out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.func import functional_call

from .base import FeatureEncoder
from .factory import Encoder, feature_encoder

_PROBE = 64  # pixels; nothing is computed but which parameters count


class PooledEncoder(nn.Module):
    """The pooled vector of an encoder. Pre-training's `network_def` for all but MONAI's stock ResNet, which gives that
    vector itself (`configs/encoder.json`).

    The keys of its state dict, `encoder.body.*`, are those of a task's network, so that the file of a pre-trained one
    is `encoder_weights` of any task. Parameters that the vector does not depend on (a mask token, norms of maps that
    only a decoder reads) are frozen: a run on several ranks would wait for their gradients.

    Args:
        encoder: see `scripts.encoders.build_encoder`.
        options: for `build_encoder`.

    Attributes:
        encoder: the encoder as the tasks see it.
        dim: width of the vector.
    """

    if TYPE_CHECKING:  # not at run time, for TorchScript
        encoder: FeatureEncoder

    def __init__(self, encoder: Encoder, options: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        self.encoder = feature_encoder(encoder, **(options or {}))
        self.dim = self.encoder.dim
        for parameter in list(self._unused()):
            parameter.requires_grad_(False)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """`(B, 3, H, W)`, or whatever else the encoder's `pooled` takes, to `(B, dim)`."""
        return self.encoder.pooled(image)

    @torch.jit.ignore
    def frozen_features(self, image: torch.Tensor) -> torch.Tensor:
        """See `FeatureEncoder.frozen_features`."""
        return self.encoder.frozen_features(image)

    def frozen_part(self) -> nn.Module:
        """See `FeatureEncoder.frozen_part`."""
        return self.encoder.frozen_part()

    def reinitialize(self) -> None:
        """See `FeatureEncoder.reinitialize`."""
        self.encoder.reinitialize()

    def without_adaptor(self) -> PooledEncoder | None:
        """The frozen encoder inside an adapted one, alone (the same modules); None where there is no adaptor."""
        inner = getattr(self.encoder.body, "inner", None)
        return PooledEncoder(inner) if isinstance(inner, FeatureEncoder) else None

    def _unused(self) -> Iterator[nn.Parameter]:
        """Trained parameters that the vector does not depend on; only the graph is made, on torch's `meta` device."""
        parameters = {name: parameter for name, parameter in self.named_parameters() if parameter.requires_grad}
        tensors = {name: tensor.detach().to("meta") for name, tensor in self.state_dict(keep_vars=True).items()}
        wanted = {name: tensors[name].requires_grad_() for name in parameters}
        tensors |= {name: buffer.to("meta") for name, buffer in self.named_buffers()}
        pooled = functional_call(self, tensors, (torch.empty(2, 3, _PROBE, _PROBE, device="meta"),))
        if not wanted:
            return
        found = torch.autograd.grad(pooled.sum(), list(wanted.values()), allow_unused=True)
        for name, gradient in zip(wanted, found, strict=True):
            if gradient is None:
                yield parameters[name]
