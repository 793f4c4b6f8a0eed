"""Sums over ranks that gradients flow through, so that a loss does not depend on how many processes share the batch."""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch.distributed.nn.functional import all_reduce


def sum_over_ranks(tensor: torch.Tensor) -> torch.Tensor:
    """Sum of `tensor` over all ranks; the tensor itself in a run of one process.

    Backward sums the incoming gradients over ranks as well. When each rank computes the same global loss from such
    sums, the gradient that reaches a rank's own features is `world_size` times the true one, and
    DistributedDataParallel's mean over ranks takes that factor away again.
    """
    if not (dist.is_available() and dist.is_initialized()) or dist.get_world_size() == 1:
        return tensor
    return all_reduce(tensor.contiguous())


def count_over_ranks(batch: torch.Tensor) -> torch.Tensor:
    """Number of rows of `batch` on all ranks together, as a scalar of the batch's type."""
    return sum_over_ranks(torch.tensor(float(batch.shape[0]), device=batch.device, dtype=batch.dtype))
