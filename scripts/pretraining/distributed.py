"""Sums over ranks that gradients flow through, so that a loss does not depend on how many processes share the batch."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist


def sum_over_ranks(tensor: torch.Tensor) -> torch.Tensor:
    """Sum of `tensor` over all ranks; the tensor itself in a run of one process.

    Backward sums the incoming gradients over ranks as well. When each rank computes the same global loss from such
    sums, the gradient that reaches a rank's own features is `world_size` times the true one, and
    DistributedDataParallel's mean over ranks takes that factor away again.
    """
    return tensor if world_size() == 1 else _Sum.apply(tensor)


def world_size() -> int:
    """Number of ranks of this run."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


class _Sum(torch.autograd.Function):
    """Sum over ranks whose backward is the same sum (torch's own, `distributed.nn.functional`, is deprecated)."""

    @staticmethod
    def forward(ctx: Any, tensor: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        return _summed(tensor)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        return _summed(gradient)


def _summed(tensor: torch.Tensor) -> torch.Tensor:
    total = tensor.clone(memory_format=torch.contiguous_format)
    dist.all_reduce(total)
    return total


def count_over_ranks(batch: torch.Tensor) -> torch.Tensor:
    """Number of rows of `batch` on all ranks together, as a scalar of the batch's type."""
    return sum_over_ranks(torch.tensor(float(batch.shape[0]), device=batch.device, dtype=batch.dtype))
