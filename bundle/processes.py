"""How processes of our own are started, and a child with a line to its parent."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from scripts.errors import CxrError

# Never a fork of this process: the child would have the locks of its threads and not the threads, and OpenCV waits for
# the pool that it has inherited without end. A clean server process pays for the imports and is copied instead.
METHOD = "spawn" if sys.platform == "win32" else "forkserver"


def process_context(preload: str) -> Any:
    """multiprocessing's context for worker processes.

    Args:
        preload: module to import once for all of them.
    """
    context = multiprocessing.get_context(METHOD)
    if METHOD == "forkserver":
        context.set_forkserver_preload([preload])
    return context


def start_process(context: Any, serve: Callable[..., None], *args: Any, daemon: bool) -> tuple[Any, Connection]:
    """Starts `serve(connection, *args)` in a process of its own, and waits for its first word.

    Args:
        context: of multiprocessing.
        serve: what the process runs; it sends something as soon as it is ready.
        args: of it, besides the connection.
        daemon: it ends with its parent, and may not have children.

    Raises:
        CxrError: it ended before it was ready.
    """
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs, *args), daemon=daemon)
    process.start()
    theirs.close()  # so that the end of the process is the end of the connection
    try:
        ours.recv()
    except EOFError:
        process.join()
        raise CxrError(
            f"a worker process could not start (exit status {process.exitcode}); its message is above."
        ) from None
    return process, ours
