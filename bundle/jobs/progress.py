"""How far a sweep is: a line an ended cell, and when the rest will be done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from .record import Record
from .unit import Unit


def remaining_seconds(left: Sequence[Unit], ended: Mapping[Any, Record], workers: int) -> float | None:
    """Estimate of the wall time for the cells that are left; each counts as the mean of those most like it, and None
    comes back as long as nothing has ended.
    """
    known = {cell: record.seconds for cell, record in ended.items() if record.status == "done"}
    if not known:
        return None
    total = 0.0
    for cell in left:
        for shared in range(len(cell.likeness), -1, -1):
            like = cell.likeness[:shared]
            if times := [seconds for other, seconds in known.items() if other.likeness[:shared] == like]:
                total += mean(times)
                break
    return total / workers


def duration(seconds: float) -> str:
    """Seconds as a person says them."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 90 else f"{minutes / 60:.1f} h"


class Following:
    """Context that prints a line for every cell that ends; on a terminal a bar says what runs now.

    Args:
        cells: all of the sweep.
        ended: those that have ended; whoever runs the cells fills it.
        workers: that run side by side.
        console: to print on.
    """

    def __init__(self, cells: Sequence[Unit], ended: Mapping[Any, Record], workers: int, console: Console) -> None:
        self.cells, self.ended, self.workers, self.console = cells, ended, workers, console
        columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
        self.bar = Progress(*columns, console=console, disable=not console.is_terminal)
        self.task = self.bar.add_task("starting", total=len(cells), completed=len(ended))

    def __enter__(self) -> Following:
        self.bar.start()
        if self.ended:
            self._print(f"{len(self.ended)} of {len(self.cells)} cells are done; going on.")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bar.stop()

    def show(self, cell: Unit | None, running: Sequence[Unit]) -> None:
        """Tells of the cell that has just ended and of those that run."""
        left = [other for other in self.cells if other not in self.ended]
        seconds = remaining_seconds(left, self.ended, self.workers)
        rest = f", about {duration(seconds)} left" if seconds and left else ""
        if cell is not None:
            record = self.ended[cell]
            said = record.reason if record.status != "done" else _value(cell, record)
            status = "" if record.status == "done" else f"{record.status}: "
            count = f"[{len(self.ended)}/{len(self.cells)}]"
            self._print(f"{count} {cell.name}: {status}{said} ({duration(record.seconds)}{rest})")
        now = "; ".join(other.name for other in running)
        self.bar.update(self.task, completed=len(self.ended), description=f"{now}{rest}")

    def _print(self, text: str) -> None:
        self.bar.console.print(text, soft_wrap=True, highlight=False, markup=False)


def _value(cell: Unit, record: Record) -> str:
    return "not scored" if record.value is None else f"{cell.headline} {record.value:.3f}"
