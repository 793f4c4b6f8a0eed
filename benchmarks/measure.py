"""Fair timing on a shared machine: CPU time of one thread, the ways in turn, medians, and the ratio."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import Any, TypeVar

import torch

T = TypeVar("T")


@dataclass(frozen=True)
class Row:
    """One measured ratio: how many times as cheap `what` is as `against`, and the least that it is held to (None: no
    bar).
    """

    what: str
    against: str
    ratio: float
    bar: float | None
    ours: float
    theirs: float
    n: int
    unit: str = "ms"

    @classmethod
    def of(
        cls, what: str, against: str, bar: float | None, ours: Sequence[float], theirs: Sequence[float], n: int = 0
    ) -> Row:
        """The row of two lists of milliseconds; medians on both sides. `n` counts measurements unless it is given."""
        return cls(what, against, median(theirs) / median(ours), bar, median(ours), median(theirs), n or len(ours))

    @property
    def held(self) -> bool:
        """Whether the bar is reached."""
        return self.bar is None or self.ratio >= self.bar


@contextmanager
def one_thread() -> Iterator[None]:
    """torch on one thread inside the block."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def cpu_ms(action: Callable[[], T]) -> tuple[T, float]:
    """What one call returns, and its CPU milliseconds in this process."""
    start = time.process_time()
    result = action()
    return result, 1000 * (time.process_time() - start)


def interleaved(ways: Mapping[str, Callable[[], Any]], rounds: int, warmup: int = 1) -> dict[str, list[float]]:
    """CPU milliseconds of each way in each round; the ways alternate, so that a drift of the machine meets all of
    them.
    """
    for _ in range(warmup):
        for action in ways.values():
            action()
    costs: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, action in ways.items():
            costs[name].append(cpu_ms(action)[1])
    return costs
