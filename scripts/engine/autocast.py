"""Half precision around any network, where MONAI's trainer knows CUDA's float16 alone."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch
from monai.inferers import Inferer, SimpleInferer

from ..precision import Precision, autocast_enabled, check_precision


class AutocastInferer(Inferer):
    """Runs the network under bfloat16 autocast, on CPU or GPU, and gives its outputs in float32.

    The network itself stays free of it, and so exports as it is.

    Args:
        precision: `float32`, `bfloat16`, or `auto`: bfloat16 where the device has instructions for it.
        inferer: how the network is applied (a sliding window, a detector); None = to the whole input.
    """

    def __init__(self, precision: Precision = "auto", inferer: Inferer | None = None) -> None:
        super().__init__()
        check_precision(precision)
        self.precision = precision
        self.inferer = inferer or SimpleInferer()

    def __call__(self, inputs: torch.Tensor, network: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """What `inferer` makes of `inputs`, the network's outputs being float32."""
        return self.inferer(inputs, _Half(network, self.precision), *args, **kwargs)


class _Half:
    """The network as inferers call it, with its mode, which a detector's inferer asks for."""

    def __init__(self, network: Callable[..., Any], precision: Precision) -> None:
        self.network, self.precision = network, precision

    @property
    def training(self) -> bool:
        return bool(getattr(self.network, "training", False))

    def __call__(self, inputs: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        half = autocast_enabled(self.precision, inputs.device)
        # Not `autocast(enabled=False)`, which would switch off the trainer's own float16 (`amp`) around this call.
        with torch.autocast(inputs.device.type, torch.bfloat16) if half else nullcontext():
            return full_precision(self.network(inputs, *args, **kwargs))


def full_precision(value: Any) -> Any:
    """Tensors of half precision in a nest of dicts, lists and tuples as float32."""
    if isinstance(value, torch.Tensor):
        return value.float() if value.dtype in (torch.bfloat16, torch.float16) else value
    if isinstance(value, dict):
        return {key: full_precision(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(full_precision(one) for one in value)
    return value
