"""Worker processes with a memory and a time limit: a file that kills its worker costs that file, never the run.

concurrent.futures gives up the whole pool when one process dies, hence a small one of our own.
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

from ..processes import process_context, start_process


@dataclass(frozen=True)
class Limits:
    """What one file may cost: seconds of wall time, and MiB of memory beyond what the worker has at its start."""

    seconds: float = 60
    megabytes: int = 2048


@dataclass(frozen=True)
class Failure:
    """A task without result, and why."""

    reason: str


@dataclass
class _Worker:
    process: Any
    connection: Connection
    task: Any = None
    deadline: float = float("inf")


def guarded_map(
    setup: Callable[[], Callable[[Any], Any]], tasks: Iterable[Any], workers: int, limits: Limits, preload: str
) -> Iterator[tuple[Any, Any]]:
    """Apply a function to tasks in worker processes; yield (task, result | Failure) in the order of completion.

    Args:
        setup: picklable; called once in each worker, returns the function. An exception of that function is its own
            business: it should return, not raise.
        tasks: picklable tasks.
        workers: number of processes.
        limits: what one task may cost.
        preload: module to import once for all workers.

    Raises:
        CxrError: when a worker cannot even start.
    """
    context = process_context(preload)
    queue, pool = iter(tasks), []
    try:
        pool = [_start(context, setup, limits) for _ in range(workers)]
        while True:
            for index, worker in enumerate(pool):
                if worker.task is None and (task := next(queue, None)) is not None:
                    if not worker.process.is_alive():
                        worker = pool[index] = _start(context, setup, limits)
                    worker.connection.send(task)
                    worker.task, worker.deadline = task, time.monotonic() + limits.seconds
            busy = [worker for worker in pool if worker.task is not None]
            if not busy:
                return
            wait([w.connection for w in busy], timeout=max(0.0, min(w.deadline for w in busy) - time.monotonic()))
            for worker in busy:
                if (result := _collect(worker, limits)) is not None:
                    task, worker.task = worker.task, None
                    yield task, result
    finally:
        for worker in pool:
            worker.process.kill()


def _collect(worker: _Worker, limits: Limits) -> Any:
    """The worker's result, a Failure when it died or must be ended, or None when it is still busy."""
    if worker.connection.poll():
        try:
            return worker.connection.recv()
        except (EOFError, OSError):
            worker.process.join()
            code = worker.process.exitcode
            return Failure(f"decoder died: {signal.Signals(-code).name if code < 0 else f'exit status {code}'}")
    if time.monotonic() >= worker.deadline:
        worker.process.kill()
        worker.process.join()
        return Failure(f"time limit: not decoded in {limits.seconds:g} s")
    return None


def _start(context: Any, setup: Callable[[], Callable[[Any], Any]], limits: Limits) -> _Worker:
    return _Worker(*start_process(context, _serve, setup, limits, daemon=True))


def _serve(connection: Connection, setup: Callable[[], Callable[[Any], Any]], limits: Limits) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    work = setup()
    _limit_memory(limits.megabytes)
    connection.send("ready")
    while True:
        try:
            task = connection.recv()
        except EOFError:  # the parent is gone, killed perhaps
            return
        try:
            result = work(task)
        except MemoryError:
            result = Failure(f"memory limit: needs more than {limits.megabytes} MiB")
        connection.send(result)


def _limit_memory(megabytes: int) -> None:
    if sys.platform != "linux":
        return
    import resource
    from pathlib import Path

    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + (megabytes << 20)
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))
