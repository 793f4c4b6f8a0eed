"""What ranks exchange: rows in the order of the ranks, and gradients that find back to their rank."""

from __future__ import annotations

from pathlib import Path

import torch

from scripts.distributed import count_over_ranks, gather_over_ranks, sum_over_ranks
from tests.processes import on_two_ranks

ROWS = torch.arange(12, dtype=torch.float64).reshape(4, 3)
WEIGHT = torch.tensor([1.0, -2.0, 3.0, 5.0], dtype=torch.float64)[:, None]


def _on_a_rank(rank: int, out: str) -> None:
    own = ROWS[2 * rank : 2 * rank + 2].clone().requires_grad_()
    together = gather_over_ranks(own)
    (WEIGHT * together**2).sum().backward()
    ids = gather_over_ranks(torch.tensor([rank, 10 + rank]))
    torch.save({"rows": together.detach(), "gradient": own.grad, "ids": ids}, f"{out}/{rank}.pt")


def test_rows_and_gradients_over_two_ranks(tmp_path: Path) -> None:
    on_two_ranks(_on_a_rank, tmp_path)
    ranks = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1)]
    for rank in ranks:
        torch.testing.assert_close(rank["rows"], ROWS)
        assert rank["ids"].tolist() == [0, 10, 1, 11]
    # Both ranks have computed the same loss, so each row gets the true gradient, 2 w x, twice.
    gradient = torch.cat([rank["gradient"] for rank in ranks])
    torch.testing.assert_close(gradient, 2 * (2 * WEIGHT * ROWS))


def test_alone_nothing_is_copied() -> None:
    assert gather_over_ranks(ROWS) is ROWS
    assert sum_over_ranks(ROWS) is ROWS
    assert count_over_ranks(ROWS).item() == 4
