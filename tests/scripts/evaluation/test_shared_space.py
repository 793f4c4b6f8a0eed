"""Retrieval through a method's own projections."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from scripts.errors import CxrError
from scripts.evaluation import SharedSpace


class Store:
    """Gives each text a corner of its own; the real one is tested with the language model."""

    def __init__(self) -> None:
        self.ensured: list[str] = []

    def ensure(self, texts: Iterable[str]) -> int:
        self.ensured += texts
        return 0

    def lookup(self, texts: Sequence[str]) -> np.ndarray:
        return np.eye(4, dtype=np.float32)[[int(text[-1]) for text in texts]]


def method(turn: int) -> nn.Module:
    """The text's corners are turned by `turn` places on the image's side."""
    network = nn.Module()
    network.image_projector = nn.Linear(4, 4, bias=False)
    network.text_projector = nn.Linear(4, 4, bias=False)
    network.image_projector.weight.data = torch.eye(4).roll(turn, 0)
    network.text_projector.weight.data = torch.eye(4)
    return network


@pytest.mark.parametrize(("turn", "hits"), [(0, 1.0), (1, 0.0)])
def test_the_weights_of_the_file_decide_what_is_found(tmp_path: Path, turn: int, hits: float) -> None:
    torch.save(method(turn).state_dict(), tmp_path / "pretraining.pt")
    store = Store()
    space = SharedSpace(method(2), tmp_path / "pretraining.pt", store, "pre-trained")  # type: ignore[arg-type]
    reports = [f"report {i}" for i in range(4)]
    found = space.retrieve(torch.eye(4), reports, np.array(["a", "b", "c", "d"]), resamples=20)
    for way in ("image_to_report", "report_to_image"):
        assert found[way]["p_at_1"]["value"] == hits
        assert found[way]["p_at_1"]["chance"] == 0.25
    assert store.ensured == reports


def test_weights_of_another_method_are_refused(tmp_path: Path) -> None:
    torch.save({"image_projector.weight": torch.zeros(4, 4)}, tmp_path / "pretraining.pt")
    with pytest.raises(CxrError, match=r"1 missing \(text_projector\.weight\)"):
        SharedSpace(method(0), tmp_path / "pretraining.pt", Store(), "pre-trained")  # type: ignore[arg-type]
