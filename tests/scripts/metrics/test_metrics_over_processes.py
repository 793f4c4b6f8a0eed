"""Metrics over two processes; a file of its own without MONAI, which each process would take seconds to import."""

from __future__ import annotations

import pytest
import torch

from scripts.metrics.epoch_metrics import LatentGeometry
from scripts.metrics.latent_geometry import latent_geometry
from tests.processes import on_two_ranks


def _half_of_the_epoch(rank: int, out: str) -> None:
    features = torch.randn(7, 5, generator=torch.Generator().manual_seed(0))
    mine = slice(0, 4) if rank == 0 else slice(4, 7)  # uneven on purpose
    metric = LatentGeometry(projections=None)
    metric.update(({"pred": {"image_features": features[mine]}}, {"image_id": [str(i) for i in range(7)][mine]}))
    torch.save(metric.compute(), f"{out}/{rank}.pt")


def test_two_processes_see_the_same_whole_epoch(tmp_path):
    on_two_ranks(_half_of_the_epoch, tmp_path)
    expected = latent_geometry(torch.randn(7, 5, generator=torch.Generator().manual_seed(0)))
    for rank in (0, 1):
        assert torch.load(tmp_path / f"{rank}.pt", weights_only=True) == pytest.approx(expected)
