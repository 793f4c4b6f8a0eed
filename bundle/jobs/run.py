"""Running what has not ended well yet, on worker processes."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from rich.console import Console

from scripts.errors import CxrError

from .progress import Following
from .record import Record, write_record
from .unit import Unit
from .workers import Died, Work, run_on

ALIKE = 3  # failures for one reason, and nothing else, after which the rest is not tried
AnyUnit = TypeVar("AnyUnit", bound=Unit)


def run_cells(
    cells: Sequence[AnyUnit],
    ended: dict[AnyUnit, Record],
    devices: Sequence[str],
    work: Work,
    console: Console,
    fresh: bool = False,
) -> None:
    """Runs the cells that have not ended well, and puts how they end into `ended`; `fresh` as in `run_on`."""
    for cell in [cell for cell, record in ended.items() if record.status in ("failed", "died")]:
        del ended[cell]
    todo = [cell for cell in cells if cell not in ended]
    if not todo:
        return
    with Following(cells, ended, min(len(devices), len(todo)), console) as following:
        started: dict[Any, float] = {}
        for cell, result, running in run_on(devices, work, todo, preload=type(work).__module__, fresh=fresh):
            if isinstance(result, Died):
                result = write_record(cell, Record("died", result.reason, time.monotonic() - started[cell]))
            started.update({other: time.monotonic() for other in running if other not in started})
            if cell is not None:
                ended[cell] = result
            following.show(cell, running)
            _stop_if_all_fail_alike(ended)


def _stop_if_all_fail_alike(ended: Mapping[Any, Record]) -> None:
    """Ends a sweep whose every cell would fail for the same reason, a wrong setting for instance."""
    reasons = {record.reason for record in ended.values() if record.status == "failed"}
    if len(ended) >= ALIKE and len(reasons) == 1 and all(record.status == "failed" for record in ended.values()):
        raise CxrError(f"the first {len(ended)} cells failed alike: {reasons.pop()}")
