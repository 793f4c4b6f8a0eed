"""The bias that a classifier starts from."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from ignite.engine import Engine
from torch import nn

from scripts.data.sampling import StudyDataset
from scripts.tasks.classification.prevalence import StartFromPrevalence

NAN = float("nan")


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 2))
        nn.init.zeros_(self.head[-1].bias)  # type: ignore[arg-type]


def started(labels: list[list[float]], mode: str, network: Network | None = None) -> list[float]:
    network = network or Network()
    items: list[dict[str, Any]] = [{"label": np.array(row, dtype=np.float32)} for row in labels]
    engine = Engine(lambda engine, batch: None)
    StartFromPrevalence(network, StudyDataset(items), mode).attach(engine)
    engine.run([0])
    return network.head[-1].bias.tolist()  # type: ignore[union-attr,operator]


def test_a_finding_starts_at_its_log_odds_among_the_known_labels() -> None:
    labels: list[list[float]] = [[1, 0], [0, 0], [0, 0], [NAN, 0]]
    expected = [math.log(1.5 / 2.5), math.log(0.5 / 4.5)]  # half an image is added to each side
    assert started(labels, "multilabel") == pytest.approx(expected)


def test_classes_that_exclude_each_other_start_at_their_shares() -> None:
    assert started([[1, 0], [1, 0], [0, 1]], "multiclass") == pytest.approx([math.log(2.5 / 4), math.log(1.5 / 4)])


def test_a_bias_that_was_loaded_stays() -> None:
    network = Network()
    with torch.no_grad():
        network.head[-1].bias.fill_(0.25)  # type: ignore[union-attr,operator]
    assert started([[1, 0], [0, 0]], "multilabel", network) == [0.25, 0.25]
