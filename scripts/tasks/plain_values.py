"""Numbers of any library in Python's own types, for files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch


def plain(value: Any) -> Any:
    """A value as Parquet and JSON take it, a dataclass as a dict; within dicts and lists NaN and infinity, which JSON
    lacks, become None.
    """
    if is_dataclass(value) and not isinstance(value, type):
        value = asdict(value)
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().numpy()
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(key): _finite(plain(part)) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(plain(part)) for part in value]
    return str(value) if isinstance(value, Path | torch.device | torch.dtype) else value


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not np.isfinite(value) else value
