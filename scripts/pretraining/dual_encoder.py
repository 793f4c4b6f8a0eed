"""What image-report methods have in common: an image encoder, and a projector into a shared space for each side."""

from __future__ import annotations

from contextlib import nullcontext

import torch
from torch import nn

from ..channels_last import channels_last
from ..encoders.factory import feature_encoder
from ..precision import Precision, autocast_enabled, check_precision


class DualEncoder(nn.Module):
    """Image encoder and two projectors; the report comes in as the frozen language model's stored embedding.

    A method is a subclass that builds its projectors, or another way to project (`project_image`, `project_text`).

    Args:
        encoder: maps images `(B, C, H, W)` to pooled features `(B, image_dim)`. It is what is kept.
        image_projector: `(B, image_dim)` to `(B, out_dim)`.
        text_projector: `(B, text_dim)` to `(B, out_dim)`.
        precision: `float32`, `bfloat16` (autocast; what comes out is float32), or `auto`: bfloat16 on a GPU or CPU that
            has instructions for it.
    """

    def __init__(
        self,
        encoder: nn.Module,
        image_projector: nn.Module,
        text_projector: nn.Module,
        precision: Precision = "auto",
    ) -> None:
        check_precision(precision)
        super().__init__()
        # Channels-last costs nothing to set and makes a bfloat16 step on CPU or GPU about 1.3 times as fast.
        self.encoder = channels_last(encoder)
        self.image_projector = image_projector
        self.text_projector = text_projector
        self.precision = precision

    def forward(self, image: torch.Tensor, text: torch.Tensor) -> dict[str, torch.Tensor]:
        """Features and projections of a batch of pairs.

        Args:
            image: `(B, C, H, W)`, or whatever else the encoder takes (stored features).
            text: frozen text embeddings, `(B, text_dim)`.

        Returns:
            `image_features` `(B, image_dim)`, `image_projection` and `text_projection` `(B, out_dim)`, all float32
            (float64 stays).
        """
        if image.dim() == 4:
            image = image.contiguous(memory_format=torch.channels_last)
        # Not `autocast(enabled=False)`, which would switch off the trainer's own float16 (`amp`) around this call.
        half = autocast_enabled(self.precision, image.device)
        with torch.autocast(image.device.type, torch.bfloat16) if half else nullcontext():
            features = self.encoder(image)
            image_projection = self.project_image(features)
            text_projection = self.project_text(text)
        return {
            "image_features": single(features),
            "image_projection": single(image_projection),
            "text_projection": single(text_projection),
        }

    def project_image(self, features: torch.Tensor) -> torch.Tensor:
        """Features of images `(n, image_dim)` in the shared space, `(n, out_dim)`."""
        return self.image_projector(features)

    def project_text(self, text: torch.Tensor) -> torch.Tensor:
        """Embeddings of reports or prompts `(n, text_dim)` in the shared space, `(n, out_dim)`."""
        return self.text_projector(text)

    def project_cells(self, image: torch.Tensor) -> torch.Tensor:
        """The cells of the encoder's last map in the shared space, each as if it were the features of an image.

        Where the pooled features are the mean of the map, and the projector is nearly linear, their mean is nearly the
        image's own projection. Meant for eval mode: a batch norm in training would take cells for images.

        Args:
            image: `(B, 3, H, W)`.

        Returns:
            `(B, h, w, out_dim)`, row first.
        """
        cells = feature_encoder(self.encoder)(image)[-1].permute(0, 2, 3, 1)
        return self.project_image(cells.flatten(0, 2)).unflatten(0, cells.shape[:3])


def single(values: torch.Tensor) -> torch.Tensor:
    """`values` in float32, in which losses are computed; float64 stays."""
    return values if values.dtype == torch.float64 else values.float()


def feature_dim(encoder: nn.Module) -> int:
    """Width of the features of `encoder`: its `dim`, or found by asking it for those of one three-channel image."""
    known = getattr(encoder, "dim", None)
    if isinstance(known, int):
        return known
    training = encoder.training
    with torch.no_grad():
        dim = encoder.eval()(torch.zeros(1, 3, 64, 64)).shape[1]
    encoder.train(training)
    return int(dim)
