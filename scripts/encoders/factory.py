"""Building an encoder from its name, and reading its weights."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from ..errors import CxrError
from .adapted import AdaptedEncoder, build_adapted
from .base import FeatureEncoder
from .densenet import DenseNetEncoder, densenet
from .import_weights import has_adaptor, import_weights
from .normalization import (
    GREY_MEAN,
    GREY_STD,
    Normalization,
    Numbers,
    first_convolution,
    normalization,
    normalize_images,
)
from .resnet import ResNetEncoder
from .weights import RANDOM

logger = logging.getLogger(__name__)
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
_FILES = (".pt", ".pth", ".ckpt", ".bin", ".safetensors")


def build_encoder(encoder: Encoder, **options: Any) -> nn.Module:
    """The encoder with random weights; reads no data, and needs a network only for the configuration of a hub's model
    that this machine does not have.

    Args:
        encoder: "resnet10", "resnet18", "resnet34", "resnet50", … (MONAI's, in torchvision's form); a folder with
            config.json or a hub id of a vision model of transformers; the content of such a config.json
            (`encoder_config`); or a module, which passes through.
        options: on top: arguments of MONAI's function (`widen_factor=0.25`), or values of the model's configuration;
            `image_mean` and `image_std`, of an image from 0 to 1, where its weights want others than the workflows'.

    Raises:
        CxrError: there is no such encoder, or it does not take these options.
    """
    if isinstance(encoder, nn.Module):
        if options:
            raise CxrError(
                f"encoder_options: {', '.join(options)} cannot be given to an encoder that is built already."
            )
        return encoder
    if isinstance(encoder, str) and (encoder in DENSENETS or re.fullmatch(_RESNETS, encoder)):
        wanted = normalization(*(options.pop(name, None) for name in ("image_mean", "image_std")))
        body = _cnn(encoder, options)
        if wanted is not None:
            normalize_images(body, wanted)
        return body
    if encoder == ADAPTOR:
        return _adapted(**options)
    from .transformers_models import build_vision_model

    return build_vision_model(encoder_config(encoder), **options)  # type: ignore[arg-type]


def _cnn(encoder: str, options: Mapping[str, Any]) -> nn.Module:
    if encoder in DENSENETS:
        return densenet(encoder, **options)
    from monai.networks.nets import resnet

    if encoder not in resnet.resnet_params:
        raise CxrError(f"No encoder '{encoder}': MONAI has {', '.join(resnet.resnet_params)}.")
    try:
        return getattr(resnet, encoder)(**{**RESNET, **options})
    except TypeError as error:
        raise CxrError(f"encoder_options: '{encoder}' does not take them ({error}).") from error


def _adapted(body: Encoder, body_options: Mapping[str, Any] | None = None, **options: Any) -> AdaptedEncoder:
    """`--encoder adaptor --encoder_options "{'body': …, 'body_options': …, 'tokens': …}"`."""
    return build_adapted(feature_encoder(body, **(body_options or {})), **options)


def encoder_config(encoder: str | Mapping[str, Any]) -> str | dict[str, Any]:
    """What `build_encoder` needs on a machine that has neither the folder nor the hub: a ResNet's name, or the content
    of a model's config.json with its `image_mean` and `image_std`.
    """
    if not isinstance(encoder, str):
        return dict(encoder)
    if re.fullmatch(_RESNETS, encoder) or encoder in (*DENSENETS, ADAPTOR):
        return encoder
    from .transformers_models import read_config

    return read_config(encoder)


def feature_encoder(encoder: Encoder, **options: Any) -> FeatureEncoder:
    """`build_encoder`, wrapped for the tasks: maps, pooled vector, stages."""
    return wrap_encoder(build_encoder(encoder, **options))


def wrap_encoder(body: nn.Module) -> FeatureEncoder:
    """The wrapper of a MONAI ResNet or DenseNet or a vision model of transformers; a wrapper passes through, and a
    `PooledEncoder` gives its own.

    Raises:
        CxrError: it is none of these.
    """
    from monai.networks.nets.densenet import DenseNet
    from monai.networks.nets.resnet import ResNet

    if isinstance(body, FeatureEncoder):
        return body
    if isinstance(inner := getattr(body, "encoder", None), FeatureEncoder):
        return inner
    if isinstance(body, ResNet):
        return ResNetEncoder(body)
    if isinstance(body, DenseNet):
        return DenseNetEncoder(body)
    if getattr(body, "main_input_name", None) == "pixel_values":
        from .transformers_encoders import vision_encoder

        return vision_encoder(body)
    raise CxrError(
        f"{type(body).__name__} is no encoder that the tasks know: give a MONAI ResNet or DenseNet, a vision model "
        "of transformers, or a subclass of scripts.encoders.FeatureEncoder."
    )


def load_body(
    encoder: nn.Module,
    weights: str | Path | None,
    mean: Numbers | None = None,
    std: Numbers | None = None,
) -> nn.Module:
    """Loads an encoder's weights in place, every tensor of it, and returns it; without weights it stays random.

    Its images are then normalised as its weights want it: by `mean` and `std` where they are given, else as the file
    or the folder says, else as the family does that the file is known to come from (`scripts.encoders.families`), else
    as the workflows do it. Which, the log says.

    Args:
        encoder: a `FeatureEncoder`, or the body of one. Of an encoder with an adaptor, weights without an adaptor go
            into what is frozen.
        weights: "random" or None; or a file that holds the encoder (`import_weights`): of this project (pre-trained,
            or of a task's network) or of another. For a vision model of transformers also its folder or hub id,
            `owner/name` or `owner/name@REVISION`.
        mean, std: of an image from 0 to 1; a number, or one for each of three channels.

    Raises:
        CxrError: there is no such file; or listing the missing, unexpected and mismatched keys.
    """
    given = normalization(mean, std)
    found = None if not weights or weights == RANDOM else _load(encoder, weights)
    if (wanted := given or found) is not None:
        encoder.normalize(wanted) if isinstance(encoder, FeatureEncoder) else normalize_images(encoder, wanted)
    if weights and weights != RANDOM:
        name = Path(weights).name
        if wanted is not None and wanted.source:
            logger.info("%s: images normalised by %s (%s).", name, wanted, wanted.source)
        elif found is None and first_convolution(getattr(encoder, "body", encoder)) is not None:
            logger.info(
                "%s: images normalised by mean %s, deviation %s, as this project's own weights want it. If these were "
                "trained with others, say --encoder_mean and --encoder_std.",
                name, GREY_MEAN, GREY_STD,
            )  # fmt: skip
    return encoder


def _load(encoder: nn.Module, weights: str | Path) -> Normalization | None:
    """Loads, and gives the normalisation that the file tells."""
    body = encoder.body if isinstance(encoder, FeatureEncoder) else encoder
    is_file = Path(weights).suffix in _FILES or Path(weights).is_file()
    frozen = getattr(body, "inner", None)
    if isinstance(frozen, FeatureEncoder) and not (is_file and has_adaptor(weights)):
        return _load(frozen, weights)
    if is_file:
        return import_weights(body, weights).normalization
    if not hasattr(body, "from_pretrained"):
        raise CxrError(f"No weights at {weights}: give the file of a state dict, or say random.")
    from .transformers_models import load_vision_weights

    load_vision_weights(body, weights)
    return None


def load_encoder(
    encoder: nn.Module, path: str | Path | None, mean: Numbers | None = None, std: Numbers | None = None
) -> nn.Module:
    """`load_body` for what a config calls `network_def`: a stock ResNet, or a `PooledEncoder`; changed in place, and
    returned.
    """
    load_body(getattr(encoder, "encoder", encoder), path, mean, std)
    return encoder
