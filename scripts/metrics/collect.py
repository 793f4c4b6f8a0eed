"""One way to read an engine's batch and output, whether MONAI has decollated them or not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor


def collect_values(data: Any, *keys: str) -> Any:
    """The value under nested `keys` of a batch dict, or of the list of dicts that MONAI's decollation makes of it.

    Args:
        data: `engine.state.batch` or `engine.state.output`.
        keys: path into the dict, as ("pred", "image_features").

    Returns:
        A tensor `[b, …]` on the CPU, or a list of b values; None where any item has no such key.
    """
    if isinstance(data, Mapping):
        for key in keys:
            if not isinstance(data, Mapping) or key not in data:
                return None
            data = data[key]
        return _plain(data)
    items = [collect_values(item, *keys) for item in data]
    if any(item is None for item in items):
        return None
    return torch.stack(items) if items and isinstance(items[0], Tensor) else items


def _plain(value: Any) -> Any:
    # A plain tensor, not a MetaTensor: its meta would be merged, and copied, with every batch.
    return value.detach().as_subclass(Tensor).cpu() if isinstance(value, Tensor) else value
