"""A run that is told to stop ends in good order, wherever it is."""

from __future__ import annotations

import logging
import signal
import threading
from types import FrameType
from typing import Any

import ignite.distributed as idist
from ignite.engine import Engine

logger = logging.getLogger(__name__)

# What a scheduler sends before it takes a machine away.
STOP_SIGNALS = [getattr(signal, name) for name in ("SIGTERM", "SIGUSR1") if hasattr(signal, name)]


class StopSignals:
    """Notes SIGTERM and SIGUSR1 for the run of an engine, which looks at them where it can end."""

    def __init__(self) -> None:
        self.asked = False
        self._former: dict[int, Any] = {}

    def listen(self, engine: Engine) -> None:
        """Takes the signals from the host process."""
        self.asked = engine.__dict__["stopped_by_signal"] = False
        engine.__dict__["stop_signals"] = self
        if threading.current_thread() is threading.main_thread():
            for number in STOP_SIGNALS:
                self._former[number] = signal.signal(number, self._note)

    def release(self) -> None:
        """Gives the signals back to the host process."""
        for number, handler in self._former.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        self._former.clear()

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.asked = True


def stop_asked(engine: Engine | None) -> bool:
    """Whether this process was told to stop; long work between two steps asks after each batch."""
    signals = engine.__dict__.get("stop_signals") if engine is not None else None
    return signals is not None and signals.asked


def stop_before_training(engine: Engine | None) -> bool:
    """Whether a rank was told to stop before the first step: all must ask, and then leave what they do at the start.

    What a cache or a store has got so far stays there.
    """
    asked = stop_asked(engine)
    if idist.get_world_size() > 1:
        asked = bool(idist.all_reduce(int(asked), "MAX"))
    if asked and engine is not None:
        if idist.get_rank() == 0 and not engine.__dict__.get("stopped_by_signal"):
            logger.warning("Stopped by a signal before the first step; the same command goes on where it was.")
        end(engine)
    return asked


def end(engine: Engine) -> None:
    """Ends the run of an engine as one that waits to be resumed."""
    engine.__dict__["stopped_by_signal"] = True
    engine.terminate()


def was_stopped(engine: Engine) -> bool:
    """Whether a signal ended the run before its last iteration; such a run waits to be resumed."""
    done = engine.state.iteration >= (engine.state.max_epochs or 0) * (engine.state.epoch_length or 0)
    return engine.__dict__.get("stopped_by_signal", False) and not done
