"""Segmentation's losses and scores over two processes, started once, in a file without MONAI of its own to import."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from scripts.tasks.segmentation.loss import LossKind, SegmentationLoss
from scripts.tasks.segmentation.metric import SegmentationScores
from tests.processes import on_two_ranks

KINDS: tuple[LossKind, ...] = ("focal_dice", "dice_ce")


def batch() -> tuple[Tensor, Tensor]:
    """Five images of two masks, some unknown."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(5, 2, 6, 6, generator=generator, dtype=torch.float64)
    masks = (torch.rand(5, 2, 6, 6, generator=generator) > 0.6).double()
    masks[1, 0], masks[3:, 1] = -1, -1
    return logits, masks


def scores(rows: list[int]) -> dict[str, float]:
    """Of these images."""
    logits, masks = (part[rows] for part in batch())
    metric = SegmentationScores(["lungs", "heart"])
    metric.update(({"pred": logits, "label": masks}, {"image_id": [str(i) for i in rows]}))
    return metric.compute()


def _on_a_rank(rank: int, out: str) -> None:
    for kind in KINDS:
        logits, masks = batch()
        mine = (logits[:2], masks[:2]) if rank == 0 else (logits[2:], masks[2:])  # uneven on purpose
        x = mine[0].requires_grad_()
        loss = SegmentationLoss(kind)(x, mine[1])
        loss.backward()
        if rank == 1:  # a validation batch that only one rank has
            SegmentationLoss(kind)(mine[0].detach(), mine[1])
        torch.save({"loss": loss.detach(), "gradient": x.grad}, f"{out}/{kind}{rank}.pt")
    # Uneven, and one image on both ranks, as a sampler that fills up gives it.
    torch.save(scores([0, 1] if rank == 0 else [2, 3, 4, 0]), f"{out}/scores{rank}.pt")


@pytest.fixture(scope="module")
def ranks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What each of two processes has left."""
    out = tmp_path_factory.mktemp("ranks")
    on_two_ranks(_on_a_rank, out)
    return out


@pytest.mark.parametrize("kind", KINDS)
def test_two_processes_give_the_loss_and_gradient_of_one(ranks: Path, kind: LossKind) -> None:
    logits, masks = batch()
    loss = SegmentationLoss(kind)(logits.requires_grad_(), masks)
    loss.backward()
    parts = [torch.load(ranks / f"{kind}{rank}.pt", weights_only=True) for rank in (0, 1)]
    for part in parts:
        assert part["loss"].item() == pytest.approx(loss.item(), abs=1e-9)
    # DistributedDataParallel divides by the number of ranks.
    gradient = torch.cat([part["gradient"] for part in parts]) / 2
    assert logits.grad is not None
    torch.testing.assert_close(gradient, logits.grad, atol=1e-9, rtol=1e-9)


def test_each_process_has_the_scores_of_the_whole_epoch(ranks: Path) -> None:
    for rank in (0, 1):
        found = torch.load(ranks / f"scores{rank}.pt", weights_only=True)
        assert found == pytest.approx(scores([0, 1, 2, 3, 4]))
