"""A single case of an evaluation, read again for a picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from monai.inferers import Inferer
from numpy.typing import NDArray
from torch import Tensor

from ..engine.evaluating import evaluating


@dataclass(frozen=True)
class Example:
    """An image with what the network says about it.

    Attributes:
        case: its number in the report, in place of any identity.
        row: its row of the table.
        item: as the dataset reads it, transformed.
        grey: `[S, S]` in [0, 1], for a `Panel`.
        output: the network's output for this image alone, on the CPU, without the batch dimension.
    """

    case: int
    row: pd.Series
    item: Mapping[str, Any]
    grey: NDArray[np.float32]
    output: Any


def network_output(network: torch.nn.Module, inferer: Inferer, image: Tensor) -> Any:
    """The inferer's output for one image `(C, H, W)` in eval mode: on the CPU, numbers as float32."""
    device = next((parameter.device for parameter in network.parameters()), torch.device("cpu"))
    with evaluating(network), torch.no_grad():
        output = inferer(image.as_subclass(Tensor)[None].to(device), network)
    return _first(output)


def to_grey(image: Tensor) -> NDArray[np.float32]:
    """`[H, W]` in [0, 1] of a normalised image `(C, H, W)`, by its own range."""
    grey = image.as_subclass(Tensor)[0].detach().float().cpu()
    low, high = torch.aminmax(grey)
    scaled: NDArray[np.float32] = ((grey - low) / (high - low).clamp(min=1e-6)).numpy()
    return scaled


def _first(output: Any) -> Any:
    """The first image of a batch that is a tensor, a dict of batches, or a list of images."""
    if isinstance(output, Mapping):
        return {key: _first(value) for key, value in output.items()}
    return _on_cpu(output[0])


def _on_cpu(value: Any) -> Any:
    if isinstance(value, Tensor):
        value = value.detach().as_subclass(Tensor).cpu()
        return value.float() if value.is_floating_point() else value
    return {key: _on_cpu(part) for key, part in value.items()} if isinstance(value, Mapping) else value
