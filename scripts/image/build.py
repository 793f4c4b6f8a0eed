"""Building an encoder from its name, and reading its weights."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from scripts.errors import CxrError
from scripts.image.features import FeatureEncoder
from scripts.image.weights import RANDOM, load_weights, read_weights

Encoder = str | Mapping[str, Any] | nn.Module

# torchvision's network exactly, so that its weights, and those that papers publish, go in as they are.
RESNET = {
    "spatial_dims": 2,
    "n_input_channels": 3,
    "conv1_t_stride": 2,
    "bias_downsample": False,
    "feed_forward": False,
}
_RESNETS = r"resnet\d+"
DENSENETS = ("densenet121", "densenet169", "densenet201", "densenet264")
ADAPTOR = "adaptor"  # its frozen encoder is among its options
_FILES = (".pt", ".pth", ".safetensors")
_IN_TASK = "encoder.body."  # where a task network keeps its encoder


def build_encoder(encoder: Encoder, **options: Any) -> nn.Module:
    """The encoder with random weights; reads no data, and needs a network only for the configuration of a hub's model
    that this machine does not have.

    Args:
        encoder: "resnet10", "resnet18", "resnet34", "resnet50", … (MONAI's, in torchvision's form); a folder with
            config.json or a hub id of a vision model of transformers; the content of such a config.json
            (`encoder_config`); or a module, which passes through.
        options: on top: arguments of MONAI's function (`widen_factor=0.25`), or values of the model's configuration.

    Raises:
        CxrError: there is no such encoder, or it does not take these options.
    """
    if isinstance(encoder, nn.Module):
        if options:
            raise CxrError(
                f"encoder_options: {', '.join(options)} cannot be given to an encoder that is built already."
            )
        return encoder
    if encoder in DENSENETS:
        from scripts.image.densenet import densenet

        return densenet(str(encoder), **options)
    if encoder == ADAPTOR:
        from scripts.image.adapted import build_adapted

        return build_adapted(**options)
    if isinstance(encoder, str) and re.fullmatch(_RESNETS, encoder):
        from monai.networks.nets import resnet

        if encoder not in resnet.resnet_params:
            raise CxrError(f"No encoder '{encoder}': MONAI has {', '.join(resnet.resnet_params)}.")
        try:
            return getattr(resnet, encoder)(**{**RESNET, **options})
        except TypeError as error:
            raise CxrError(f"encoder_options: '{encoder}' does not take them ({error}).") from error
    from scripts.image.vision_model import build_vision_model

    return build_vision_model(encoder_config(encoder), **options)  # type: ignore[arg-type]


def encoder_config(encoder: str | Mapping[str, Any]) -> str | dict[str, Any]:
    """What `build_encoder` needs on a machine that has neither the folder nor the hub: a ResNet's name, or the content
    of a model's config.json with its `image_mean` and `image_std`.
    """
    if not isinstance(encoder, str):
        return dict(encoder)
    if re.fullmatch(_RESNETS, encoder) or encoder in (*DENSENETS, ADAPTOR):
        return encoder
    from scripts.image.vision_model import read_config

    return read_config(encoder)


def feature_encoder(encoder: Encoder, **options: Any) -> FeatureEncoder:
    """`build_encoder`, wrapped for the tasks: maps, pooled vector, stages."""
    return FeatureEncoder.of(build_encoder(encoder, **options))


def load_body(body: nn.Module, weights: str | Path | None) -> nn.Module:
    """Loads an encoder's weights in place, strictly, and returns it; without weights it stays random.

    Args:
        body: of a `FeatureEncoder`.
        weights: "random" or None; or a state dict (`.pt`, `.pth`, `.safetensors`) of the body, or of a task's network,
            whose encoder is taken; a classifier `fc` in it is left out. For a vision model of transformers also its
            folder or hub id.

    Raises:
        CxrError: there is no such file; or listing the missing, unexpected and mismatched keys.
    """
    if not weights or weights == RANDOM:
        return body
    if hasattr(body, "from_pretrained") and Path(weights).suffix not in _FILES:
        from scripts.image.vision_model import load_vision_weights

        return load_vision_weights(body, weights)
    if not Path(weights).is_file():
        raise CxrError(f"encoder_weights: no file {weights}. Pre-train first, give a state dict, or say random.")
    in_task = any(key.startswith(_IN_TASK) for key in read_weights(weights))
    return load_weights(body, weights, prefix=_IN_TASK if in_task else "", ignore=("fc.",))


def load_encoder(encoder: nn.Module, path: str | Path | None) -> nn.Module:
    """`load_body` for what a config calls `network_def`: a stock ResNet, or a `PooledEncoder`; changed in place, and
    returned.
    """
    inner = getattr(encoder, "encoder", encoder)
    load_body(inner.body if isinstance(inner, FeatureEncoder) else encoder, path)
    return encoder
