"""The same network on every rank."""

from __future__ import annotations

import ignite.distributed as idist
import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel


def distribute(network: nn.Module, device: str | torch.device) -> nn.Module:
    """`network` on `device`, or the device of that name, wrapped for the ranks of this run.

    On GPUs batch norm is synchronised over the ranks. torch has no such layer for the CPU; there each rank normalises
    over its own part of the batch, and a run of two processes differs from one of a single process by that.

    Returns:
        DistributedDataParallel, or the network itself in a run of one process.
    """
    network = network.to(device)
    if idist.get_world_size() == 1:
        return network
    if torch.device(device).type != "cuda":
        return DistributedDataParallel(network)
    # Not the name's own number: plain "cuda" is this rank's GPU (`start_workflow`).
    place = next(network.parameters()).device
    return DistributedDataParallel(nn.SyncBatchNorm.convert_sync_batchnorm(network), device_ids=[place.index])
