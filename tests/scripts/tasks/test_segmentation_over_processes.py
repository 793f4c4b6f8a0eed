"""The segmentation losses over two processes; a file of its own without MONAI, which each process would import."""

from __future__ import annotations

from pathlib import Path

import ignite.distributed as idist
import pytest
import torch
from torch import Tensor

from scripts.tasks import SegmentationLoss
from scripts.tasks.segmentation_loss import LossKind

KINDS: tuple[LossKind, ...] = ("focal_dice", "dice_ce")


def batch() -> tuple[Tensor, Tensor]:
    """Five images of two masks, some unknown."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(5, 2, 6, 6, generator=generator, dtype=torch.float64)
    masks = (torch.rand(5, 2, 6, 6, generator=generator) > 0.6).double()
    masks[1, 0], masks[3:, 1] = -1, -1
    return logits, masks


def _on_a_rank(rank: int, out: str) -> None:
    for kind in KINDS:
        logits, masks = batch()
        mine = (logits[:2], masks[:2]) if rank == 0 else (logits[2:], masks[2:])  # uneven on purpose
        x = mine[0].requires_grad_()
        loss = SegmentationLoss(kind)(x, mine[1])
        loss.backward()
        torch.save({"loss": loss.detach(), "gradient": x.grad}, f"{out}/{kind}{rank}.pt")


def test_two_processes_give_the_loss_and_gradient_of_one(tmp_path: Path) -> None:
    with idist.Parallel(backend="gloo", nproc_per_node=2) as parallel:
        parallel.run(_on_a_rank, str(tmp_path))
    for kind in KINDS:
        logits, masks = batch()
        loss = SegmentationLoss(kind)(logits.requires_grad_(), masks)
        loss.backward()
        ranks = [torch.load(tmp_path / f"{kind}{rank}.pt", weights_only=True) for rank in (0, 1)]
        assert logits.grad is not None
        for rank in ranks:
            assert rank["loss"].item() == pytest.approx(loss.item(), abs=1e-9)
        # DistributedDataParallel divides by the number of ranks.
        gradient = torch.cat([rank["gradient"] for rank in ranks]) / 2
        torch.testing.assert_close(gradient, logits.grad, atol=1e-9, rtol=1e-9)
