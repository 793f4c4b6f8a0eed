"""pydicom without its warnings, which quote the values that they are about."""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

_log = logging.getLogger("pydicom")
_lock = threading.Lock()
_stack = ExitStack()
_inside = 0


@contextmanager
def silence() -> Iterator[None]:
    """No Python warning, and no line of pydicom's log, while any thread is inside.

    `warnings.catch_warnings` alone leaves the process silent for ever when two threads leave it in the order in which
    they entered; here the first one enters it and the last one leaves it.
    """
    global _inside
    with _lock:
        if _inside == 0:
            _stack.enter_context(warnings.catch_warnings())
            warnings.simplefilter("ignore")
            _log.addFilter(_nothing)
            _stack.callback(_log.removeFilter, _nothing)
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0:
                _stack.close()


def _nothing(record: logging.LogRecord) -> bool:
    return False
