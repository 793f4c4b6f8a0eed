"""Long-lived worker processes, one a device: MONAI is imported once, and a cell that kills its worker costs itself.

`bundle.prepare.pool` is of another kind: its workers decode files under limits of time and memory, and may have no
children, which a data loader needs.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

from ..processes import process_context, start_process

_FAREWELL = 10.0  # seconds
Work = Callable[[Any, str], Any]  # (task, device) -> result


@dataclass(frozen=True)
class Died:
    """The end of a worker in the middle of a task."""

    reason: str


@dataclass
class _Worker:
    process: Any
    connection: Connection
    device: str
    task: Any = None


def run_on(
    devices: Sequence[str], work: Work, tasks: Sequence[Any], preload: str, fresh: bool = False
) -> Iterator[tuple[Any, Any, list]]:
    """Run tasks on worker processes, one a device; a device named twice has two.

    Args:
        devices: "cpu", "cuda:0", …
        work: picklable; called as `work(task, device)` in a worker, and returns its errors rather than raising them.
        tasks: picklable, taken in order.
        preload: module to import once for all workers.
        fresh: a process of its own for each task, whose memory then is that task's alone.

    Yields:
        (task, result | Died, tasks now running) whenever one ends, and (None, None, tasks now running) at the start.

    Raises:
        CxrError: when a worker cannot even start.
    """
    context = process_context(preload)
    threads = max(1, _cores() // len(devices))
    queue, pool = iter(tasks), []
    try:
        pool = [_start(context, work, device, threads) for device in devices[: len(tasks)]]
        for worker in pool:
            _give(worker, next(queue, None))
        yield None, None, [worker.task for worker in pool]
        while busy := [worker for worker in pool if worker.task is not None]:
            ready = wait([worker.connection for worker in busy])
            for worker in busy:
                if worker.connection not in ready:
                    continue
                task, result = worker.task, _collect(worker)
                following = next(queue, None)
                if following is not None and (fresh or isinstance(result, Died)):
                    place = pool.index(worker)
                    _end(worker)
                    worker = pool[place] = _start(context, work, worker.device, threads)
                _give(worker, following)
                yield task, result, [other.task for other in pool if other.task is not None]
        for worker in pool:
            worker.connection.close()  # so that they end side by side
        for worker in pool:
            _end(worker)
    finally:
        for worker in pool:
            worker.process.kill()


def _end(worker: _Worker) -> None:
    worker.connection.close()  # the end of its work
    worker.process.join(_FAREWELL)
    worker.process.kill()


def _give(worker: _Worker, task: Any) -> None:
    worker.task = task
    if task is not None:
        worker.connection.send(task)


def _collect(worker: _Worker) -> Any:
    try:
        return worker.connection.recv()
    except (EOFError, OSError):
        worker.process.join()
        code = worker.process.exitcode
        how = signal.Signals(-code).name if code < 0 else f"exit status {code}"
        return Died(f"its process ended: {how}" + (" (out of memory?)" if how == "SIGKILL" else ""))


def _start(context: Any, work: Work, device: str, threads: int) -> _Worker:
    # No daemon: those may not have children, and the data loader's processes are that.
    return _Worker(*start_process(context, _serve, work, device, threads, daemon=False), device)


def _serve(connection: Connection, work: Work, device: str, threads: int) -> None:
    import torch

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    threading.Thread(target=_end_with_parent, daemon=True).start()
    # Never more than torch's own number, which OMP_NUM_THREADS sets: on cores that others use, threads wait for each
    # other at every operation.
    torch.set_num_threads(min(threads, torch.get_num_threads()))
    connection.send("ready")
    while True:
        try:
            task = connection.recv()
        except EOFError:
            return
        connection.send(work(task, device))


def _end_with_parent() -> None:
    """A worker whose sweep was killed would go on with its cell, beside the one that takes the sweep up again."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
