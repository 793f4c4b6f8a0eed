"""Where bfloat16 is worth using, and whether a run asks for it."""

from __future__ import annotations

from typing import Literal, get_args

import torch

Precision = Literal["auto", "float32", "bfloat16"]


def check_precision(precision: str) -> None:
    """Raises a ValueError unless `precision` is one of `auto`, `float32` and `bfloat16`."""
    if precision not in get_args(Precision):
        raise ValueError(f"precision must be one of {', '.join(get_args(Precision))}, not {precision!r}")


def autocast_enabled(precision: Precision, device: torch.device) -> bool:
    """Whether a forward pass runs under bfloat16 autocast; `auto` does where the device has instructions for it."""
    return computes_bfloat16(device) if precision == "auto" else precision == "bfloat16"


def computes_bfloat16(device: torch.device) -> bool:
    """Whether the device has instructions for bfloat16; without them it is slower than float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    can = torch.cpu.get_capabilities() if device.type == "cpu" else {}
    return any(can.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))
