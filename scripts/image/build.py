"""Building an encoder from its name, and reading its weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from scripts.errors import CxrError
from scripts.image.features import FeatureEncoder
from scripts.image.weights import load_encoder

# torchvision's network exactly, so that its weights, and those that papers publish, go in as they are.
RESNET = {
    "spatial_dims": 2,
    "n_input_channels": 3,
    "conv1_t_stride": 2,
    "bias_downsample": False,
    "feed_forward": False,
}


def build_encoder(encoder: str | Mapping[str, Any] | nn.Module, **options: Any) -> nn.Module:
    """The encoder with random weights; reads no data and needs no network.

    Args:
        encoder: "resnet10", "resnet18", "resnet34", "resnet50", … (MONAI's, in torchvision's form), or a module, which
            passes through.
        options: arguments of MONAI's function on top (`widen_factor=0.25`).

    Raises:
        CxrError: there is no such encoder, or it does not take these options.
    """
    if isinstance(encoder, nn.Module):
        return encoder
    from monai.networks.nets import resnet

    if isinstance(encoder, str) and encoder in resnet.resnet_params:
        return getattr(resnet, encoder)(**{**RESNET, **options})
    raise CxrError(f"No encoder '{encoder}': give {', '.join(resnet.resnet_params)}.")


def feature_encoder(encoder: str | Mapping[str, Any] | nn.Module, **options: Any) -> FeatureEncoder:
    """`build_encoder`, wrapped for the tasks: maps, pooled vector, stages."""
    return FeatureEncoder.of(build_encoder(encoder, **options))


def load_body(body: nn.Module, weights: str | Path | None) -> nn.Module:
    """Loads an encoder's weights in place, strictly, and returns it; without weights it stays random.

    Args:
        body: of a `FeatureEncoder`.
        weights: `.pt`, `.pth` or `.safetensors` state dict; a classifier `fc` in it is left out.
    """
    return load_encoder(body, weights)
