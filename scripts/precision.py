"""Where bfloat16 is worth using."""

from __future__ import annotations

import torch


def computes_bfloat16(device: torch.device) -> bool:
    """Whether the device has instructions for bfloat16; without them it is slower than float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    can = torch.cpu.get_capabilities() if device.type == "cpu" else {}
    return any(can.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))
