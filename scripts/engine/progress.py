"""One line that tells how far a run is, how the loss stands, and when it will end."""

from __future__ import annotations

import ignite.distributed as idist
from ignite.engine import Engine, Events
from tqdm import tqdm

from .state import on_error


class Progress:
    """Handler that shows one bar over all iterations of an engine, with the time that is left.

    Args:
        name: what the bar is called.
        loss_every: read the loss from the device every so many steps; 0 shows none.
    """

    def __init__(self, name: str, loss_every: int = 10) -> None:
        self.name = name
        self.loss_every = loss_every
        self._bar: tqdm | None = None

    def attach(self, engine: Engine) -> None:
        """Registers on a trainer or an evaluator."""
        engine.add_event_handler(Events.STARTED, self.start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.step)
        engine.add_event_handler(Events.COMPLETED, self.stop)
        on_error(engine, lambda error: self.stop(engine))

    def start(self, engine: Engine) -> None:
        """Opens the bar on rank 0."""
        total = (engine.state.epoch_length or 0) * (engine.state.max_epochs or 1)
        if idist.get_rank() == 0:
            # Written to a file, a bar is one line at most every half minute.
            self._bar = tqdm(
                total=total, initial=engine.state.iteration, desc=self.name, unit="batch", mininterval=2, maxinterval=30
            )

    def step(self, engine: Engine) -> None:
        """Moves the bar one step on."""
        if self._bar is None:
            return
        self._bar.update()
        if self._bar.n == self._bar.total:
            self.stop(engine)
        elif self.loss_every and engine.state.iteration % self.loss_every == 0:
            loss = float(engine.state.output["loss"].detach())
            self._bar.set_postfix_str(
                f"epoch {engine.state.epoch}/{engine.state.max_epochs}, loss {loss:.3f}", refresh=False
            )

    def stop(self, engine: Engine) -> None:
        """Closes the bar."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
