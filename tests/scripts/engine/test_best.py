"""KeepBest: the best weights as plain files, and an early end."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from ignite.engine import Engine, Events
from torch import nn

from scripts.engine.best import KeepBest
from scripts.errors import CxrError

NAN = math.nan


class Method(nn.Module):
    """As a method: an `encoder`, and more that only `network_path` gets."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Linear(1, 1, bias=False)
        self.head = nn.Linear(1, 1)


def train(folder: Path, scores: Sequence[float | None], patience: int = 0, min_delta: float = 0.0) -> SimpleNamespace:
    """An epoch for each score; the encoder's weight is the number of the epoch. None = no validation."""
    network = Method()
    evaluator, trainer = Engine(lambda engine, batch: None), Engine(lambda engine, batch: None)
    keep = KeepBest(
        evaluator, "score", network, folder / "pretraining.pt", folder / "model.pt", patience, min_delta, {"seed": 7}
    )

    def validate() -> None:
        nn.init.constant_(network.encoder.weight, trainer.state.epoch)
        score = scores[trainer.state.epoch - 1]
        if score is not None:
            evaluator.run([0])

    evaluator.add_event_handler(
        Events.EPOCH_COMPLETED, lambda: evaluator.state.metrics.update(score=scores[trainer.state.epoch - 1])
    )
    trainer.add_event_handler(Events.EPOCH_COMPLETED, validate)
    keep.attach(trainer)
    trainer.run([0], max_epochs=len(scores))
    return SimpleNamespace(keep=keep, epochs=trainer.state.epoch, network=network)


@pytest.mark.parametrize(
    ("scores", "best"),
    [
        ([0.1, 0.3, 0.2], 2),
        ([0.3, 0.3, 0.3], 1),  # equal is not better
        ([0.1, None, 0.2], 3),  # an epoch without validation
        ([NAN, 0.1, NAN], 2),  # not a number is not better, and a number is better than none
        ([-2.0, -1.0, -3.0], 2),
        ([None, None], 2),  # no validation at all: the last weights
        ([NAN, NAN, NAN], 3),
    ],
)
def test_the_files_hold_the_best_weights(tmp_path: Path, scores: list[float | None], best: int) -> None:
    run = train(tmp_path, scores)
    encoder = torch.load(tmp_path / "model.pt", weights_only=True)
    whole = torch.load(tmp_path / "pretraining.pt", weights_only=True)
    assert encoder.keys() == {"weight"}
    assert encoder["weight"].item() == best
    assert whole.keys() == run.network.state_dict().keys()
    card = json.loads((tmp_path / "pretraining.json").read_text())
    values = [score for score in scores if score is not None and score == score]
    assert card["settings"] == {"seed": 7}
    assert card["best"] == {"metric": "score", "value": max(values, default=None), "epoch": best}
    assert whole["encoder.weight"].item() == best
    assert run.keep.best_epoch == best
    assert run.epochs == len(scores)


def test_two_runs_with_one_seed_give_one_hash(tmp_path: Path) -> None:
    for name in ("first", "second"):
        torch.manual_seed(0)
        train(tmp_path / name, [0.1, 0.3])
    for file in ("model.pt", "pretraining.pt", "model.json"):
        assert (tmp_path / "first" / file).read_bytes() == (tmp_path / "second" / file).read_bytes()


@pytest.mark.parametrize(
    ("scores", "patience", "min_delta", "ends"),
    [
        ([0.3, 0.2, 0.1, 0.4], 0, 0.0, 4),  # 0 never ends early
        ([0.3, 0.2, 0.1, 0.4], 2, 0.0, 3),
        ([0.3, 0.2, 0.4, 0.1, 0.1], 2, 0.0, 5),  # a better one starts the count anew
        ([0.3, None, 0.2, None, 0.1, 0.4], 2, 0.0, 5),  # validations count, not epochs
        ([0.3, 0.31, 0.32, 0.4], 2, 0.05, 3),  # too little to count
        ([NAN, NAN, NAN], 2, 0.0, 3),  # not a number is neither better nor worse
        ([0.3, NAN, NAN, 0.2, NAN, 0.1, 0.4], 2, 0.0, 6),
    ],
)
def test_training_ends_after_that_many_validations_without_a_better_one(
    tmp_path: Path, scores: list[float | None], patience: int, min_delta: float, ends: int
) -> None:
    assert train(tmp_path, scores, patience, min_delta).epochs == ends


@pytest.mark.parametrize(("patience", "epochs"), [(2, 0), (3, 1)])
def test_a_run_that_ended_early_and_is_resumed_ends_at_once(tmp_path: Path, patience: int, epochs: int) -> None:
    first = train(tmp_path, [0.3, 0.2, 0.1, 0.0], patience=2).keep
    evaluator, trainer = Engine(lambda *_: None), Engine(lambda *_: None)
    second = KeepBest(evaluator, "score", Method(), tmp_path / "model.pt", tmp_path / "pretraining.pt", patience)
    trainer.add_event_handler(Events.STARTED, lambda: second.load_state_dict(first.state_dict()))
    trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda: evaluator.run([0]))
    evaluator.add_event_handler(Events.EPOCH_COMPLETED, lambda: evaluator.state.metrics.update(score=0.1))
    second.attach(trainer)
    trainer.run([0], max_epochs=4)
    assert trainer.state.epoch == epochs


def test_a_score_that_validation_does_not_give_is_said_at_once(tmp_path: Path) -> None:
    evaluator, trainer = Engine(lambda *_: None), Engine(lambda *_: None)
    evaluator.add_event_handler(Events.EPOCH_COMPLETED, lambda: evaluator.state.metrics.update(auroc=0.7, loss=1.0))
    trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda: evaluator.run([0]))
    KeepBest(evaluator, "auc", Method(), tmp_path / "model.pt").attach(trainer)
    with pytest.raises(CxrError, match=r"gives no 'auc' .* It gives auroc, loss"):
        trainer.run([0], max_epochs=2)


def test_a_resumed_run_goes_on_waiting(tmp_path: Path) -> None:
    first = train(tmp_path, [0.3, 0.2]).keep
    second = KeepBest(Engine(lambda *_: None), "score", Method(), tmp_path / "model.pt", tmp_path / "pretraining.pt")
    second.load_state_dict(first.state_dict())
    assert (second.best, second.best_epoch, second.waited) == (0.3, 1, 1)
