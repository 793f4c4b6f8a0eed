"""Each loss and its gradient are the same for two processes of B/2 and one of B (design, section 8)."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from scripts.pretraining.mflag import MFlagLoss
from tests.processes import on_two_ranks

ROWS, DIM = 12, 20
SETTINGS = [(where, norm) for where in ("features", "projections") for norm in ("none", "row_l2", "standardize")]


def batch() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    keys = ("image_features", "image_projection", "text_projection")
    return {key: torch.randn(ROWS, DIM, generator=generator, dtype=torch.float64) + 0.5 for key in keys}


def loss_and_gradients(
    pred: dict[str, torch.Tensor], where: str, normalize: str
) -> tuple[float, dict[str, torch.Tensor]]:
    leaves = {key: value.clone().requires_grad_() for key, value in pred.items()}
    loss = MFlagLoss(where=where, normalize=normalize, weight=0.3)(leaves)  # type: ignore[arg-type]
    loss.backward()
    return loss.item(), {key: leaf.grad for key, leaf in leaves.items() if leaf.grad is not None}


def one_rank(rank: int, folder: str) -> None:
    half = slice(rank * ROWS // 2, (rank + 1) * ROWS // 2)
    pred = {key: value[half] for key, value in batch().items()}
    torch.save([loss_and_gradients(pred, *setting) for setting in SETTINGS], f"{folder}/rank{rank}.pt")


@pytest.fixture(scope="module")
def two_ranks(tmp_path_factory: pytest.TempPathFactory) -> list[list[tuple[float, dict[str, torch.Tensor]]]]:
    folder = tmp_path_factory.mktemp("ranks")
    on_two_ranks(one_rank, folder)
    return [torch.load(Path(folder) / f"rank{rank}.pt", weights_only=True) for rank in range(2)]


@pytest.mark.parametrize("number", range(len(SETTINGS)), ids=[f"{where}-{norm}" for where, norm in SETTINGS])
def test_world_size_changes_neither_loss_nor_gradient(two_ranks: list, number: int) -> None:
    loss, gradients = loss_and_gradients(batch(), *SETTINGS[number])
    (loss_0, gradients_0), (loss_1, gradients_1) = (rank[number] for rank in two_ranks)
    assert loss_0 == pytest.approx(loss, abs=1e-6)
    assert loss_1 == pytest.approx(loss, abs=1e-6)
    assert gradients.keys() == gradients_0.keys()
    for key, expected in gradients.items():
        # DistributedDataParallel averages over the two ranks, so half of what each rank holds is what counts.
        joined = torch.cat([gradients_0[key], gradients_1[key]]) / 2
        torch.testing.assert_close(joined, expected, atol=1e-6, rtol=1e-6)
