"""The contrastive losses and their gradients, down to each weight: two processes of B/2 are one of B."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from scripts.pretraining.infonce import ConVirt, InfoNCELoss
from scripts.pretraining.siglip import SigLip, SigLipLoss
from tests.processes import on_two_ranks

ROWS, PIXELS = 8, 4
METHODS: dict[str, tuple[type[ConVirt], nn.Module]] = {
    "infonce": (ConVirt, InfoNCELoss(image_weight=0.75)),
    "siglip": (SigLip, SigLipLoss()),
}
# Pairs 1 and 6 (of different halves) share a report, 2 and 3 a study.
TARGET = torch.stack([torch.tensor([0, 1, 2, 3, 4, 5, 1, 7]), torch.tensor([0, 1, 2, 2, 4, 5, 6, 7])], dim=1)


def network(name: str) -> ConVirt:
    """Without batch norm, which on the CPU normalises over the part of a rank."""
    torch.manual_seed(0)
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(3 * PIXELS * PIXELS, 6), nn.Tanh())
    method = METHODS[name][0](encoder, text_dim=5, image_dim=6, hidden_dim=7, out_dim=4, precision="float32")
    nn.init.constant_(method.log_scale, 0.5)
    if isinstance(method, SigLip):
        nn.init.constant_(method.bias, -1.0)
    return method.double()


def values(network: nn.Module, name: str, rows: slice, target: torch.Tensor | None) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(1)
    image = torch.randn(ROWS, 3, PIXELS, PIXELS, generator=generator, dtype=torch.float64)
    text = torch.randn(ROWS, 5, generator=generator, dtype=torch.float64)
    pred = network(image[rows], text[rows])
    loss = METHODS[name][1](pred, None if target is None else target[rows])
    network.zero_grad()
    loss.backward()
    inner = network.module if isinstance(network, DistributedDataParallel) else network
    return {"loss": loss.detach(), "gradients": {key: p.grad.clone() for key, p in inner.named_parameters()}}  # type: ignore[union-attr]


def _on_a_rank(rank: int, out: str) -> None:
    half = slice(rank * ROWS // 2, (rank + 1) * ROWS // 2)
    found = {
        f"{name}-{masked}": values(DistributedDataParallel(network(name)), name, half, TARGET if masked else None)
        for name in METHODS
        for masked in (False, True)
    }
    torch.save(found, f"{out}/{rank}.pt")


@pytest.fixture(scope="module")
def two_ranks(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    folder: Path = tmp_path_factory.mktemp("ranks")
    on_two_ranks(_on_a_rank, folder)
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in (0, 1)]


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("name", METHODS)
def test_two_processes_are_one(two_ranks: list[dict[str, Any]], name: str, masked: bool) -> None:
    one = values(network(name), name, slice(None), TARGET if masked else None)
    assert (one["loss"] != values(network(name), name, slice(None), None)["loss"]) == masked
    for rank in two_ranks:
        found = rank[f"{name}-{masked}"]
        assert found["loss"].item() == pytest.approx(one["loss"].item(), abs=1e-6)
        assert found["gradients"].keys() == one["gradients"].keys()
        for key, expected in one["gradients"].items():
            torch.testing.assert_close(found["gradients"][key], expected, atol=1e-6, rtol=1e-6, msg=key)
            assert expected.abs().max() > 1e-4, key
