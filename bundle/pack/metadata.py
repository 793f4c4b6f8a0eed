"""metadata.json of a pack: what the network of this run takes and gives, and what its scripts need."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import packages_distributions, version
from typing import Any

import torch
from torch import nn

STATED = ("monai", "torch", "numpy")  # in keys of their own


def describe(
    metadata: dict[str, Any], network: nn.Module, names: Sequence[str], image_size: int, data: str | None
) -> None:
    """Sizes, channels and classes of the network, and the data, in place.

    Args:
        metadata: of the task's configs.
        network: as packed.
        names: of its outputs; empty for pre-training.
        image_size: that it was trained with.
        data: what it was trained on; None leaves it unsaid.
    """
    formats = metadata["network_data_format"]
    image, pred = formats["inputs"]["image"], formats["outputs"]["pred"]
    image["spatial_shape"] = [image_size, image_size]
    if len(pred["spatial_shape"]) == 2:  # maps of the image's size
        pred["spatial_shape"] = [image_size, image_size]
    if names:
        pred |= {"num_channels": len(names), "channel_def": {str(i): name for i, name in enumerate(names)}}
        metadata["pred_classes"] += f": {', '.join(names)}"
    else:
        pred["num_channels"] = embedding_width(network, image_size)
        metadata["pred_classes"] = f"embedding of {pred['num_channels']} numbers"
    metadata["data_source"] = data or "Not stated by who made this pack"


def embedding_width(network: nn.Module, image_size: int) -> int:
    """Numbers of an encoder's output for one image."""
    network.eval()
    with torch.no_grad():
        return int(network(torch.zeros(1, 3, image_size, image_size)).shape[1])


def require(metadata: dict[str, Any], imported: Iterable[str]) -> None:
    """Adds the installed version of each package that is imported and not yet required, in place.

    Args:
        metadata: of the task's configs.
        imported: top-level names of modules, those of Python itself among them.
    """
    required: dict[str, str] = metadata["required_packages_version"]
    known: Mapping[str, list[str]] = packages_distributions()
    for module in sorted(imported):
        owners = [name for name in known.get(module, []) if name not in STATED]
        if owners and not any(name in required for name in owners):
            required[owners[0]] = version(owners[0])
