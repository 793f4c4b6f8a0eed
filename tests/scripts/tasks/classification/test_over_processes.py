"""The classification loss and its gradient over two processes, which know different numbers of labels."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from scripts.metrics.validation_loss import ValidationLoss
from scripts.tasks.classification.network import ClassificationLoss
from tests.processes import on_two_ranks

MODES = ("multilabel", "multiclass")


def batch() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(7, 3, generator=generator, dtype=torch.float64)
    label = torch.eye(3, dtype=torch.float64)[torch.randint(0, 3, (7,), generator=generator)]
    label[0], label[5] = float("nan"), float("nan")
    return logits, label


def _on_a_rank(rank: int, out: str) -> None:
    for mode in MODES:
        logits, label = (part[:2] if rank == 0 else part[2:] for part in batch())
        x, loss = logits.requires_grad_(), ClassificationLoss(mode)  # type: ignore[arg-type]
        value = loss(x, label)
        value.backward()
        validation = ValidationLoss(loss)
        for _ in range(rank + 1):  # ranks may have different numbers of batches
            validation.update({"pred": x.detach(), "label": label})
        result = {"loss": value.detach(), "gradient": x.grad, "validation": validation.compute()}
        torch.save(result, f"{out}/{mode}{rank}.pt")


def test_two_processes_give_the_loss_and_gradient_of_one(tmp_path: Path) -> None:
    on_two_ranks(_on_a_rank, tmp_path)
    for mode in MODES:
        logits, label = batch()
        loss = ClassificationLoss(mode)  # type: ignore[arg-type]
        value = loss(logits.requires_grad_(), label)
        value.backward()
        ranks = [torch.load(tmp_path / f"{mode}{rank}.pt", weights_only=True) for rank in (0, 1)]
        assert logits.grad is not None
        # By images: 2 of rank 0, and 5 of rank 1 twice.
        mean = (2 * loss(logits[:2].detach(), label[:2]) + 10 * loss(logits[2:].detach(), label[2:])) / 12
        for rank in ranks:
            assert rank["loss"].item() == pytest.approx(value.item(), abs=1e-9)
            assert rank["validation"] == pytest.approx(mean.item(), abs=1e-9)
        # DistributedDataParallel divides by the number of ranks.
        gradient = torch.cat([rank["gradient"] for rank in ranks]) / 2
        torch.testing.assert_close(gradient, logits.grad, atol=1e-9, rtol=1e-9)
