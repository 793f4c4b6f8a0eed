"""Sums and batches over ranks that gradients flow through, so that a loss does not depend on how many processes share
the batch.
"""

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


def gather_over_ranks(tensor: torch.Tensor) -> torch.Tensor:
    """Rows of `tensor`, `(B, ...)`, of all ranks in the order of the ranks; the tensor itself in a run of one process.

    For losses that compare each row with every other (contrastive ones). Every rank must hold equally many rows, as
    `EpochSampler` gives them. Backward sums the incoming gradients over ranks and hands back the rank's own rows: the
    convention of `sum_over_ranks`.
    """
    return tensor if world_size() == 1 else _Gather.apply(tensor)


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


class _Gather(torch.autograd.Function):
    """Concatenation over ranks whose backward is the sum over ranks of what arrived for the own rows."""

    @staticmethod
    def forward(ctx: Any, tensor: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        own = tensor.contiguous()
        parts = [torch.empty_like(own) for _ in range(world_size())]
        dist.all_gather(parts, own)
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        return _summed(gradient).chunk(world_size())[dist.get_rank()]


def _summed(tensor: torch.Tensor) -> torch.Tensor:
    total = tensor.clone(memory_format=torch.contiguous_format)
    dist.all_reduce(total)
    return total


def count_over_ranks(batch: torch.Tensor) -> torch.Tensor:
    """Number of rows of `batch` on all ranks together, as a scalar of the batch's type."""
    return sum_over_ranks(torch.tensor(float(batch.shape[0]), device=batch.device, dtype=batch.dtype))
