"""What a training costs: parameters, seconds a step, what is done once before it, peak memory."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

import ignite.distributed as idist
import psutil
import torch
from ignite.engine import Engine, Events

from ..atomic import write_text_atomically
from .state import add_part, on_error, unwrap
from .tracking import parameter_counts

MIB = 1 << 20
SAMPLED = 0.01  # seconds between two looks at the resident memory


class MeasureCost:
    """Handler for the trainer that writes `path` when the run ends, as one flat JSON object:

    `trained_parameters`, `network_frozen_parameters`: of the network; a language model whose vectors are stored is not
    part of it. `steps`: optimizer steps of the whole run. `step_seconds`: median of one step, from asking for its batch
    to the updated weights; `batch_seconds` is the part of it spent waiting for the batch, `step_cpu_seconds` the CPU
    time of this process in it (on a shared machine the steadier number). `one_off_seconds`: from the start to the first
    epoch, which is where reports are embedded and features stored; nearly 0 when they are there already.
    `training_seconds`: the epochs with their validations. `peak_memory_mib`, `peak_memory_of`: in the steps of the
    first epoch; "cuda" the most that torch had allocated, "cpu" the resident memory beyond that at the epoch's start,
    and the network on top (not the libraries, nor the data loader's processes). A resumed run goes on counting.

    Args:
        network: the trained one.
        path: of the file.
        warmup: first steps that are not timed.
        most: steps that are timed; a GPU is waited for in these, and in no other.
    """

    def __init__(self, network: torch.nn.Module, path: str | Path, warmup: int = 3, most: int = 200) -> None:
        self.network, self.path = network, Path(path)
        self.warmup, self.most = warmup, most
        self.device = next(network.parameters()).device
        self.times: dict[str, list[float]] = {"step": [], "batch": [], "cpu": []}
        self.counted = {"one_off_seconds": 0.0, "training_seconds": 0.0, "peak_memory_mib": 0.0}
        self._resident: _PeakResident | None = None
        self._seen = 0
        self._began: float | None = None
        self._peak_is_read = False
        self._asked: tuple[float, float] | None = None

    def attach(self, engine: Engine) -> None:
        """Registers on the trainer; list it second, after what resumes and before what is done once."""
        add_part(engine, "cost", self)
        if idist.get_rank() != 0:
            return
        engine.add_event_handler(Events.STARTED, self.start)
        engine.add_event_handler(Events.EPOCH_STARTED, self.begin)
        engine.add_event_handler(Events.GET_BATCH_STARTED, self.ask)
        engine.add_event_handler(Events.GET_BATCH_COMPLETED, self.get)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.step)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.end_epoch)
        engine.add_event_handler(Events.COMPLETED, self.finish)
        on_error(engine, lambda error: self._read_peak())

    def start(self, engine: Engine) -> None:
        """Starts the clock of what is done once."""
        self._seen, self._began = 0, None
        self._started = time.monotonic()

    def begin(self, engine: Engine) -> None:
        """The first epoch of this process starts."""
        if self._began is not None:
            return
        self._began = time.monotonic()
        self.counted["one_off_seconds"] += self._began - self._started
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
        else:
            self._resident = _PeakResident()

    def ask(self, engine: Engine) -> None:
        """A batch is asked for."""
        self._asked = None
        if self._seen >= self.warmup and len(self.times["step"]) < self.most:
            self._wait()
            self._asked = (time.monotonic(), time.process_time())

    def get(self, engine: Engine) -> None:
        """It is there."""
        self._got = time.monotonic()

    def step(self, engine: Engine) -> None:
        """A step is done."""
        self._seen += 1
        if self._asked is None:
            return
        self._wait()
        wall, cpu = self._asked
        self.times["step"].append(time.monotonic() - wall)
        self.times["batch"].append(self._got - wall)
        self.times["cpu"].append(time.process_time() - cpu)
        self._asked = None

    def end_epoch(self, engine: Engine) -> None:
        """Ends the watch over the memory; list this handler before the one that validates."""
        self._read_peak()

    def finish(self, engine: Engine) -> None:
        """Writes the file."""
        self._measure()
        kind = "cuda" if self.device.type == "cuda" else "cpu"
        medians = {name: median(values) for name, values in self.times.items() if values}
        content: dict[str, Any] = {
            **parameter_counts(unwrap(self.network)),
            "steps": engine.state.iteration,
            "step_seconds": medians.get("step"),
            "batch_seconds": medians.get("batch"),
            "step_cpu_seconds": medians.get("cpu"),
            **self.counted,
            "peak_memory_of": kind,
        }
        write_text_atomically(json.dumps(content, indent=1), self.path)

    def state_dict(self) -> dict[str, Any]:
        """What has been measured so far."""
        self._measure()
        return {"times": {name: list(values) for name, values in self.times.items()}, "counted": dict(self.counted)}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Inverse of `state_dict`."""
        self.times = {name: list(values) for name, values in state_dict["times"].items()}
        self.counted = dict(state_dict["counted"])

    def _measure(self) -> None:
        """Brings the seconds of the epochs up to now."""
        if self._began is None:
            return
        now = time.monotonic()
        self.counted["training_seconds"] += now - self._began
        self._began = now

    def _read_peak(self) -> None:
        """Reads the peak once a process: what validation imports and keeps would count from the second epoch on."""
        if self._peak_is_read or self._began is None:
            return
        self._peak_is_read = True
        if self._resident is not None:
            every = [*self.network.parameters(), *self.network.buffers()]
            peak = self._resident.stop() + sum(tensor.numel() * tensor.element_size() for tensor in every)
        else:
            peak = torch.cuda.max_memory_allocated(self.device)
        self.counted["peak_memory_mib"] = max(self.counted["peak_memory_mib"], peak / MIB)

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


class _PeakResident:
    """The largest resident memory beyond that at its start, seen by a thread that looks every 10 ms (a backward pass
    takes longer)."""

    def __init__(self) -> None:
        self.process = psutil.Process()
        self.first = self.peak = int(self.process.memory_info().rss)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def stop(self) -> int:
        """Ends the thread; bytes beyond those at the start."""
        self._ended.set()
        self._thread.join()
        return self.peak - self.first

    def _look(self) -> None:
        while not self._ended.wait(SAMPLED):
            self.peak = max(self.peak, int(self.process.memory_info().rss))
