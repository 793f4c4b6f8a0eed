"""Costs that are known beforehand: a clock that the test moves, an allocation of a known size."""

from __future__ import annotations

import gc
import json
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
import torch
from ignite.engine import Events

from scripts.engine import cost as module
from scripts.engine.cost import MIB, MeasureCost

Make = Callable[..., SimpleNamespace]
STEP, BATCH, ONCE, HELD, BUSY = 0.03, 0.02, 0.25, 200, 0.4


class Clock:
    """In place of `time`: seconds pass when the test says so, a part of them (BUSY) on the CPU."""

    def __init__(self) -> None:
        self.now, self.cpu = 100.0, 10.0

    def monotonic(self) -> float:
        return self.now

    def process_time(self) -> float:
        return self.cpu

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.cpu += BUSY * seconds


class Watched(psutil.Process):
    """Says when its memory has been looked at."""

    looks = threading.Semaphore(0)

    def memory_info(self) -> Any:
        found = super().memory_info()
        self.looks.release()
        return found


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    monkeypatch.setattr(module.psutil, "Process", Watched)
    return clock


def measured(run: SimpleNamespace, folder: Path) -> MeasureCost:
    cost = MeasureCost(run.network, folder / "cost.json", warmup=2)
    cost.attach(run.trainer)
    return cost


def test_steps_what_is_done_once_and_memory_are_told_apart(tmp_path: Path, small_run: Make, clock: Clock) -> None:
    gc.collect()  # what other tests have left would be given back meanwhile, and hide what the steps take
    run = small_run(tmp_path, epochs=3)
    run.network[0].bias.requires_grad_(False)
    measured(run, tmp_path)
    add = run.trainer.add_event_handler
    add(Events.STARTED, lambda: clock.sleep(ONCE))
    # A slow data set and a slow network; the first steps are slower still, and do not count.
    add(Events.GET_BATCH_STARTED, lambda: clock.sleep(BATCH))
    add(Events.ITERATION_STARTED, lambda engine: clock.sleep(0.2 if engine.state.iteration <= 2 else STEP))

    def hold(size: int) -> None:
        block = torch.ones(size * MIB // 4)
        while Watched.looks.acquire(blocking=False):
            pass
        Watched.looks.acquire()  # one that may have begun before the block was there,
        Watched.looks.acquire()  # and one that did not
        del block

    add(Events.ITERATION_STARTED(once=2), lambda: hold(HELD))
    add(Events.EPOCH_COMPLETED, lambda: torch.ones(2 * HELD * MIB // 4))  # what a validation takes is not a step's
    add(Events.EPOCH_COMPLETED, lambda: clock.sleep(1))
    run.trainer.run()
    cost = json.loads((tmp_path / "cost.json").read_text())
    assert cost["trained_parameters"] == 4 * 8 + 2 * 8 + 8 + 1 and cost["network_frozen_parameters"] == 8
    assert cost["steps"] == 9
    assert cost["batch_seconds"] == pytest.approx(BATCH)
    assert cost["step_seconds"] == pytest.approx(STEP + BATCH)
    assert cost["step_cpu_seconds"] == pytest.approx(BUSY * (STEP + BATCH))
    assert cost["one_off_seconds"] == pytest.approx(ONCE)
    assert cost["training_seconds"] == pytest.approx(2 * 0.2 + 7 * STEP + 9 * BATCH + 3)
    assert cost["peak_memory_of"] == "cpu" and HELD * 0.95 < cost["peak_memory_mib"] < HELD + 100


def test_a_resumed_run_goes_on_counting(tmp_path: Path, small_run: Make) -> None:
    first = small_run(tmp_path, epochs=2)
    early = measured(first, tmp_path)
    first.trainer.run()
    second = small_run(tmp_path, epochs=3, resume=True)
    late = measured(second, tmp_path)
    second.trainer.run()
    assert len(early.times["step"]) == 4 and len(late.times["step"]) == 5
    assert late.times["step"][:4] == early.times["step"]
    assert json.loads((tmp_path / "cost.json").read_text())["steps"] == 9
    assert late.counted["training_seconds"] > early.counted["training_seconds"]


def test_no_step_beyond_the_warm_up_gives_no_number(tmp_path: Path, small_run: Make) -> None:
    run = small_run(tmp_path, epochs=1)
    MeasureCost(run.network, tmp_path / "cost.json", warmup=3).attach(run.trainer)
    run.trainer.run()
    assert json.loads((tmp_path / "cost.json").read_text())["step_seconds"] is None


def test_an_error_of_the_run_is_its_own(tmp_path: Path, small_run: Make) -> None:
    run = small_run(tmp_path, epochs=2)
    cost = measured(run, tmp_path)

    def fail() -> None:
        raise ValueError("of the run")

    run.trainer.add_event_handler(Events.ITERATION_COMPLETED(once=4), fail)
    with pytest.raises(ValueError, match="of the run"):
        run.trainer.run()
    assert cost._peak_is_read and not (tmp_path / "cost.json").exists()
