"""Worker processes: what a bad task may do to its worker, and what it must not do to the others."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from bundle.prepare import pool
from bundle.prepare.pool import Failure, Limits, guarded_map
from scripts.errors import CxrError


def make_work() -> Callable[[str], str]:
    return work


def make_nothing() -> Callable[[str], str]:
    sys.exit(3)


def work(task: str) -> str:
    name = task.rstrip("0123456789")
    if name == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if name == "hang":
        time.sleep(60)
    if name == "memory":
        np.ones(400 << 20, np.uint8)
    return task.upper()


class Clock:
    """In place of `time`: it stands still, and the deadline of "hang" is over when it begins."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        now, self.now = self.now, 0.0
        return now

    def watch(self, tasks: list[str]) -> Iterator[str]:
        for task in tasks:
            self.now = -10.0 if task == "hang" else 0.0  # what the deadline is counted from
            yield task


def run(tasks: list[str], workers: int, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    clock = Clock()
    monkeypatch.setattr(pool, "time", clock)
    limits = Limits(seconds=1.5, megabytes=256)
    return dict(guarded_map(make_work, clock.watch(tasks), workers, limits, preload=__name__))


@pytest.mark.skipif(sys.platform == "win32", reason="signals and memory limits of Linux")
@pytest.mark.parametrize("workers", [1, 3])
def test_a_bad_task_costs_itself_only(workers, monkeypatch):
    good = [f"good{i}" for i in range(8)]
    tasks = [*good[:3], "crash", *good[3:6], "hang", "memory", *good[6:]]
    results = run(tasks, workers, monkeypatch)
    assert {name: results[name] for name in good} == {name: name.upper() for name in good}
    assert results["crash"] == Failure("decoder died: SIGSEGV")
    assert results["hang"] == Failure("time limit: not decoded in 1.5 s")
    assert results["memory"] == Failure("memory limit: needs more than 256 MiB")


def test_no_task_is_no_work(monkeypatch):
    assert run([], 2, monkeypatch) == {}


def test_a_worker_that_cannot_start_is_an_error_and_no_endless_loop():
    with pytest.raises(CxrError, match=r"could not start \(exit status 3\)"):
        list(guarded_map(make_nothing, ["good"], 1, Limits(), preload=__name__))
