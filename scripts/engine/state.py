"""Resume and save: the whole state of a run in one file, exact to the bit on CPU."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import ignite.distributed as idist
import numpy as np
import torch
from ignite.engine import Engine, Events
from torch.nn.parallel import DistributedDataParallel

from ..atomic import save_atomically
from ..data.sampling import EpochSampler
from ..encoders.normalization import adopt_normalization
from ..errors import CxrError
from ..output_folder import check_folder
from ..tensor_files import read_tensors
from .stop import StopSignals, end

logger = logging.getLogger(__name__)


class Stateful(Protocol):
    """Anything whose state goes into the checkpoint: optimizer, schedule, early stop, history, tracking."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state_dict: dict[str, Any]) -> Any: ...


def add_part(engine: Engine, name: str, part: Stateful) -> None:
    """Makes `part` a piece of the trainer's checkpoint; handlers call it in their `attach`, in any order."""
    parts(engine)[name] = part


def parts(engine: Engine) -> dict[str, Stateful]:
    """The pieces of the trainer's checkpoint by name."""
    return engine.__dict__.setdefault("checkpoint_parts", {})


def checkpoint_path(engine: Engine) -> Path | None:
    """The file that `ResumeAndSave` writes; None where an engine has no such handler."""
    return engine.__dict__.get("checkpoint_path")


def add_folder(engine: Engine, folder: str | Path, switch: str) -> None:
    """Has `ResumeAndSave` look at the start whether the folder that a switch names can be written."""
    engine.__dict__.setdefault("output_folders", {})[Path(folder)] = switch


def on_error(engine: Engine, function: Callable[[BaseException], None]) -> None:
    """Calls `function` with the error that ends a run; ignite swallows an error that no handler raises again."""
    functions = engine.__dict__.setdefault("on_error", [])
    functions.append(function)
    if len(functions) == 1:
        engine.add_event_handler(Events.EXCEPTION_RAISED, _call_and_raise)


def _call_and_raise(engine: Engine, error: BaseException) -> None:
    for function in engine.__dict__["on_error"]:
        function(error)
    raise error


class ResumeAndSave:
    """Handler for the trainer that saves the run's state and, with `resume`, goes on from it.

    Saved after each epoch, every `every_minutes` within one, and on SIGTERM or SIGUSR1 (the run then ends in good
    order, all ranks after the same step). Written on rank 0, atomically. The order of the data and its augmentation are
    functions of seed, epoch and index (`scripts.data.sampling`), so nothing of the loader needs saving.

    Args:
        path: the checkpoint, e.g. `models/checkpoint.pt`. Plain tensors and numbers; loads under `weights_only=True`.
        network: the whole trained module (frozen language models are not part of it).
        sampler: gets the epoch, and after a resume within one the batch to start from.
        optimizer, lr_scheduler: of the trainer. Handlers with a state of their own join by `add_part`.
        resume: True goes on from `path` when it is there; False starts anew, and moves a checkpoint that it finds to
            `<name>.previous.pt`, where one is kept. A trainer that is run on (a federated client's next round) moves
            nothing.
        every_minutes: least time between two saves within an epoch.
        least_seconds: epochs shorter than this are not all saved: a probe's take a hundredth of what saving does.
    """

    def __init__(
        self,
        path: str | Path,
        network: torch.nn.Module,
        sampler: EpochSampler,
        optimizer: Stateful,
        lr_scheduler: Stateful,
        resume: bool = False,
        every_minutes: float = 10.0,
        least_seconds: float = 0.0,
    ) -> None:
        self.path = Path(path)
        self.network = network
        self.sampler = sampler
        self.own_parts = {"optimizer": optimizer, "lr_scheduler": lr_scheduler}
        self.resume = resume
        self.every_seconds = 60 * every_minutes
        self.least_seconds = least_seconds
        self._saved_at = time.monotonic()
        self._signals = StopSignals()

    def attach(self, engine: Engine) -> None:
        """Registers on the trainer; list it first, so that the other handlers see the resumed state."""
        parts(engine).update(self.own_parts)
        engine.__dict__["checkpoint_path"] = self.path
        add_folder(engine, self.path.parent, "ckpt_dir")
        engine.add_event_handler(Events.STARTED, self.start)
        engine.add_event_handler(Events.EPOCH_STARTED, self.start_epoch)
        engine.add_event_handler(Events.COMPLETED, self._stop_listening)
        on_error(engine, self._stop_listening)

    def start(self, engine: Engine) -> None:
        """Resumes if asked, then registers the saving, which has to come after every other handler of the same
        event.

        Raises:
            CxrError: there are several ranks, and nothing brings their gradients together; or a folder that
                the run writes to cannot be written.
        """
        if idist.get_world_size() > 1 and not isinstance(self.network, DistributedDataParallel):
            raise CxrError(
                f"{idist.get_world_size()} processes would each train a network of their own: "
                "add configs/multi_gpu_train.json to --config_file, after configs/train.json."
            )
        for folder, switch in engine.__dict__["output_folders"].items():
            check_folder(folder, switch)
        if self.resume and self.path.is_file():
            self.load(engine)
        elif self.resume:
            logger.warning("Nothing to resume: %s is not there. Starting from the beginning.", self.path)
        elif engine.state.iteration == 0:
            self._set_aside()
        self._saved_at = time.monotonic()
        if not engine.has_event_handler(self.finish_epoch, Events.EPOCH_COMPLETED):
            engine.add_event_handler(Events.ITERATION_COMPLETED, self.finish_iteration)
            engine.add_event_handler(Events.EPOCH_COMPLETED, self.finish_epoch)
        self._signals.listen(engine)

    def _set_aside(self) -> None:
        """Moves the checkpoint of an earlier run, which the first save would overwrite, out of the way."""
        if idist.get_rank() == 0 and self.path.is_file():
            previous = self.path.with_suffix(f".previous{self.path.suffix}")
            self.path.replace(previous)
            logger.warning(
                "This run starts anew; %s of an earlier one is now %s. To go on with that one, stop this run, give the "
                "file its name back and add --resume True.",
                self.path,
                previous.name,
            )

    def start_epoch(self, engine: Engine) -> None:
        """Points the sampler at the epoch, and at the batch within it that a resumed run has reached."""
        length = engine.state.epoch_length
        assert length is not None
        self.sampler.epoch = engine.state.epoch - 1
        self.sampler.start = engine.state.iteration - self.sampler.epoch * length
        if not 0 <= self.sampler.start < self.sampler.batches:
            self.sampler.start = 0

    def finish_iteration(self, engine: Engine) -> None:
        """Saves within an epoch when it is time, and ends the run on a signal; the last iteration is
        `finish_epoch`'s.
        """
        if engine.state.iteration % engine.state.epoch_length == 0:
            return
        stop = self._must_stop(engine)
        if stop or time.monotonic() - self._saved_at > self.every_seconds:
            self._save_and_go_on(engine, stop)

    def finish_epoch(self, engine: Engine) -> None:
        """Saves after an epoch, validation and schedules included."""
        stop = self._must_stop(engine)
        last = engine.state.epoch == engine.state.max_epochs or engine.should_terminate
        if stop or last or time.monotonic() - self._saved_at >= self.least_seconds:
            self._save_and_go_on(engine, stop)

    def _must_stop(self, engine: Engine) -> bool:
        """Whether a rank got a signal; all leave after the same step. To ask stops the device, so it is done rarely."""
        if idist.get_world_size() == 1:
            return self._signals.asked
        if engine.state.iteration % 10 and engine.state.iteration % engine.state.epoch_length:
            return False
        return bool(idist.all_reduce(int(self._signals.asked), "MAX"))

    def _save_and_go_on(self, engine: Engine, stop: bool) -> None:
        self.save(engine)
        if stop:
            logger.warning("Stopped by a signal; go on with --resume True.")
            end(engine)

    def save(self, engine: Engine) -> None:
        """Writes the checkpoint on rank 0."""
        self._saved_at = time.monotonic()
        if idist.get_rank() != 0:
            return
        state = {
            "iteration": engine.state.iteration,
            "epoch_length": engine.state.epoch_length,
            "network": unwrap(self.network).state_dict(),
            "parts": {name: part.state_dict() for name, part in parts(engine).items()},
            "random": random_state(),
        }
        if getattr(engine, "scaler", None) is not None:
            state["scaler"] = engine.scaler.state_dict()
        save_atomically(state, self.path)

    def load(self, engine: Engine) -> None:
        """Puts the state of `path` into the run.

        Raises:
            CxrError: it is of another network, or of an epoch of another length (other data or batch size).
        """
        choice = "Start with --resume False, or choose another ckpt_dir."
        state = read_tensors(self.path, choice)
        if not isinstance(state, dict) or not {"iteration", "epoch_length", "network", "parts"} <= state.keys():
            raise CxrError(f"{self.path} is no checkpoint of a run. {choice}")
        if state["epoch_length"] != engine.state.epoch_length:
            raise CxrError(
                f"{self.path} was saved with {state['epoch_length']} batches an epoch and this run has "
                f"{engine.state.epoch_length}: same data, batch_size and number of ranks are needed to resume."
            )
        try:
            adopt_normalization(unwrap(self.network), state["network"])
            unwrap(self.network).load_state_dict(state["network"])
            for name, part in parts(engine).items():
                # The length of the schedule is this run's: with more epochs the rate falls along the longer curve.
                length: dict[str, Any] = {
                    key: vars(part)[key] for key in ("t_total", "warmup_steps") if key in vars(part)
                }
                part.load_state_dict(state["parts"][name])
                vars(part).update(length)
        except (RuntimeError, KeyError, ValueError) as error:
            raise CxrError(
                f"{self.path} belongs to another setting ({str(error).splitlines()[0]}). {choice}"
            ) from error
        if "scaler" in state and getattr(engine, "scaler", None) is not None:
            engine.scaler.load_state_dict(state["scaler"])
        set_random_state(state["random"])
        if state["iteration"] % state["epoch_length"] or getattr(engine.state.dataloader, "persistent_workers", False):
            # The loader draws a seed when an epoch starts, or with lasting workers at the first epoch alone; the run
            # that was cut off had done so before it was saved.
            again = Events.GET_BATCH_STARTED(once=state["iteration"])
            engine.add_event_handler(again, lambda: set_random_state(state["random"]))
        engine.state.iteration = state["iteration"]
        engine.state.epoch = state["iteration"] // state["epoch_length"]
        # `run` has already set this to 0 for a fresh start; ignite counts the batches of a resumed epoch from it.
        engine._init_iter = state["iteration"] % state["epoch_length"]
        logger.info("Resumed %s at epoch %d, iteration %d.", self.path, engine.state.epoch, engine.state.iteration)

    def _stop_listening(self, _: object) -> None:
        self._signals.release()


def unwrap(network: torch.nn.Module) -> torch.nn.Module:
    """The module inside DistributedDataParallel, so that saved keys carry no `module.`."""
    return network.module if isinstance(network, DistributedDataParallel) else network


def random_state() -> dict[str, Any]:
    """State of Python's, numpy's and torch's generators in plain types (`weights_only` refuses numpy arrays)."""
    version, internal, gauss = random.getstate()
    name, keys, position, has_gauss, cached = np.random.get_state(legacy=True)
    state: dict[str, Any] = {
        "python": [version, list(internal), gauss],
        "numpy": [name, torch.from_numpy(np.asarray(keys).astype(np.int64)), position, has_gauss, cached],
        "torch": torch.get_rng_state(),
    }
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state_all()
    return state


def set_random_state(state: dict[str, Any]) -> None:
    """Inverse of `random_state`."""
    version, internal, gauss = state["python"]
    random.setstate((version, tuple(internal), gauss))
    name, keys, position, has_gauss, cached = state["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), position, has_gauss, cached))
    torch.set_rng_state(state["torch"])
    if "cuda" in state and torch.cuda.is_available():
        # The run may go on with another number of GPUs.
        for device, value in enumerate(state["cuda"][: torch.cuda.device_count()]):
            torch.cuda.set_rng_state(value, device)
