"""MLflow: one run holds the curves, the parameters counted, the resolved config, the pictures and the weights."""

from __future__ import annotations

import json
import logging
import re
import sqlite3
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import ignite.distributed as idist
import mlflow
import torch
from ignite.engine import Engine, Events
from mlflow.entities import RunStatus
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID
from mlflow.utils.uri import is_local_uri
from monai.handlers import MLFlowHandler

from ..atomic import write_text_atomically
from ..errors import CxrError, first_line, innermost
from ..names import tracking_key
from .history import History
from .overrides import command_line_config
from .state import add_part, checkpoint_path, on_error, parts, unwrap
from .stop import was_stopped
from .tracked_values import log_values
from .workflow import is_command_line

logger = logging.getLogger(__name__)


class Tracking(MLFlowHandler):
    """MONAI's MLFlowHandler, with the run's identity kept over a resume.

    An MLflow that cannot be reached when the run starts is an error; what happens to it later is a warning, and the
    training goes on: the same numbers are in `history.json`. A run that was killed without a word, whose number stands
    beside the checkpoint, is marked as killed by the next one that starts there.

    Records the config of the command line with its switches as parameters, each epoch's row of `History` (losses,
    learning rate, geometry, retrieval), the number of the network's trained and frozen parameters (the language model
    is not part of it), the files under `artifacts` at the end, and the state of the run (finished, failed, stopped). A
    handler that MONAI's `--tracking mlflow` adds on top gives this one its place (address, experiment, run name) and is
    taken off the engines, so that nothing is logged twice.

    Args:
        network: whose parameters are counted.
        evaluator: the validation engine, to take MONAI's own handler off.
        artifacts: files or folders to log when the run ends; those that are not there are passed over.
        local_only: names of files among them that a server does not get, because they show patients.
        tracking_uri: default is `sqlite:///<cwd>/mlruns.db`; the variable MLFLOW_TRACKING_URI wins.
        experiment_name, run_name: as in MLFlowHandler.
        parent_run: id of the run that this one is a child of (a sweep's).
        settings: switches to record as parameters where no command line tells them.
    """

    def __init__(
        self,
        network: torch.nn.Module,
        evaluator: Engine | None = None,
        artifacts: Sequence[str | Path] = (),
        tracking_uri: str | None = None,
        experiment_name: str = "cxr_vlp",
        run_name: str | None = None,
        local_only: Sequence[str] = ("first_batch.png",),
        parent_run: str | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self.network = network
        self.evaluator = evaluator
        self.run_id: str | None = None
        self._logged: set[int] = set()
        # A number on the command line is a number by the time it comes here.
        self._place = {
            "tracking_uri": tracking_uri,
            "experiment_name": str(experiment_name),
            "run_name": None if run_name is None else str(run_name),
        }
        self._files = [Path(path) for path in artifacts]
        self._local_only = tuple(local_only)
        self._tags = child_tags(parent_run)
        self._settings = dict(settings or {})

    def attach(self, engine: Engine) -> None:
        """Registers on the trainer, rank 0 only; list it after `History`."""
        add_part(engine, "tracking", self)
        if idist.get_rank() == 0:
            engine.add_event_handler(Events.STARTED, self.start)
            engine.add_event_handler(Events.EPOCH_COMPLETED, self.log_epoch)
            on_error(engine, self.fail)

    def start(self, engine: Engine) -> None:
        """Opens the run, or the same run again after a resume.

        Raises:
            CxrError: MLflow cannot be reached or written.
        """
        try:
            self._open(engine)
        except CxrError:
            raise
        except Exception as error:  # of MLflow, its database, its server
            raise CxrError(
                f"MLflow cannot be used at {_without_password(self._place['tracking_uri'])} ({_reason(error)}): give "
                "another tracking_uri, or mend that one."
            ) from error
        if not engine.has_event_handler(self.complete, Events.COMPLETED):
            # Registered now, to come after the handlers that draw the pictures.
            engine.add_event_handler(Events.COMPLETED, self.complete)

    def _open(self, engine: Engine) -> None:
        # The client connects here and not at construction: reading a config must not make a database.
        make_folder(self._place["tracking_uri"])
        super().__init__(**self._place)
        others = [other for engine_ in (engine, self.evaluator) if engine_ for other in self._take_over(engine_)]
        self._set_experiment()
        if self.run_id is not None and self._is_known(self.run_id):
            self.client.update_run(self.run_id, status=RunStatus.to_string(RunStatus.RUNNING))
            # A run may have been cut off after an epoch was logged and before it was saved.
            self._logged = {int(metric.step) for metric in self.client.get_metric_history(self.run_id, "loss")}
        else:
            assert self.experiment is not None
            run = self.client.create_run(self.experiment.experiment_id, run_name=self.run_name, tags=self._tags)
            self.run_id = run.info.run_id
        self.cur_run = self.client.get_run(self.run_id)
        for other in others:
            # Ignite still calls its `start` in this very round; it must not look for a run of its own.
            other.cur_run = self.cur_run
        config = without_passwords((command_line_config(sys.argv[1:]) if is_command_line() else None) or {})
        switches = {key: value for key, value in config.items() if isinstance(value, (str, int, float))}
        params = {
            **self._settings,
            **switches,
            **parameter_counts(unwrap(self.network)),
            "max_epochs": engine.state.max_epochs,
        }
        # A parameter of MLflow cannot change: a resumed run keeps those that it has.
        known = self.cur_run.data.params
        log_values(self.client, self.run_id, params={k: v for k, v in params.items() if tracking_key(k) not in known})
        if config:
            self.client.log_dict(self.run_id, config, "config.json")
        self._end_the_one_before(checkpoint_path(engine))

    def log_epoch(self, engine: Engine) -> None:
        """Logs the newest row of the history."""
        history = parts(engine).get("history")
        if not isinstance(history, History) or not history.rows:
            return
        row = history.rows[-1]
        if int(row["epoch"]) in self._logged:
            return
        metrics = {name: value for name, value in row.items() if name != "epoch"}
        with self._going_on(f"epoch {row['epoch']:.0f}"):
            log_values(self.client, self.run_id, metrics, step=int(row["epoch"]))

    def complete(self, engine: Engine) -> None:  # type: ignore[override]
        """Logs the files and closes the run; one that was stopped by a signal stays open for its resume."""
        with self._going_on("the files and the end of the run"):
            log_files(self.client, self.run_id, self._files, self._local_only)
            self._finish(RunStatus.KILLED if was_stopped(engine) else RunStatus.FINISHED)

    def fail(self, error: BaseException) -> None:
        """Marks the run as failed, or as stopped by hand."""
        if getattr(self, "cur_run", None) is not None:
            with self._going_on("the end of the run"):
                self._finish(RunStatus.KILLED if isinstance(error, KeyboardInterrupt) else RunStatus.FAILED)

    def state_dict(self) -> dict[str, Any]:
        """The run's identity."""
        return {"run_id": self.run_id}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Inverse of `state_dict`."""
        self.run_id = state_dict["run_id"]

    def _finish(self, status: int) -> None:
        self.client.set_terminated(self.run_id, status=RunStatus.to_string(status))

    def _end_the_one_before(self, checkpoint: Path | None) -> None:
        """Marks a run that was killed without a word as killed, and leaves this one's number for the next."""
        if checkpoint is None:
            return
        note = checkpoint.with_suffix(".mlflow")
        before = note.read_text(encoding="utf-8").strip() if note.is_file() else self.run_id
        if before and before != self.run_id:
            with suppress(mlflow.MlflowException):  # of another database
                if self.client.get_run(before).info.status == RunStatus.to_string(RunStatus.RUNNING):
                    self.client.set_terminated(before, status=RunStatus.to_string(RunStatus.KILLED))
        write_text_atomically(f"{self.run_id}\n", note)

    @contextmanager
    def _going_on(self, what: str) -> Iterator[None]:
        """Lets the training go on without MLflow: what it lost is in the run's own files."""
        try:
            yield
        except Exception as error:  # of MLflow, its database, its server
            place = _without_password(self.client.tracking_uri)
            logger.warning("MLflow at %s did not take %s (%s); the training goes on.", place, what, _reason(error))

    def _is_known(self, run_id: str) -> bool:
        try:
            self.client.get_run(run_id)
        except mlflow.MlflowException:
            logger.warning("The MLflow run of the checkpoint is not in this database; a new run is opened.")
            return False
        return True

    def _take_over(self, engine: Engine) -> list[MLFlowHandler]:
        """Removes MONAI's own MLFlowHandlers from the engine and goes where they would have logged."""
        found = []
        # Ignite has no public list of an engine's handlers.
        for event, entries in list(engine._event_handlers.items()):
            for function in [entry[0] for entry in entries]:
                owner = getattr(bound_method(function), "__self__", None)
                if isinstance(owner, MLFlowHandler) and owner is not self:
                    self.client, self.artifact_location = owner.client, owner.artifact_location
                    self.experiment_name, self.run_name = owner.experiment_name, owner.run_name
                    engine.remove_event_handler(bound_method(function), event)
                    found.append(owner)
        return found


def log_files(
    client: mlflow.MlflowClient, run_id: str | None, files: Sequence[Path], local_only: Sequence[str] = ()
) -> None:
    """Logs files, and folders with all they hold, as artifacts; those of `local_only` names not to a server."""
    left_out = () if is_local(client.tracking_uri) else local_only
    for path in files:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file() and file.name not in left_out:
                folder = file.parent.relative_to(path.parent).as_posix()
                client.log_artifact(run_id, str(file), None if folder == "." else folder)


def make_folder(tracking_uri: str | None) -> None:
    """The folder of a database file, which SQLite does not make.

    Raises:
        OSError, sqlite3.Error: there can be no file. MLflow would try ten times, within 100 seconds, before it says so.
    """
    if tracking_uri and tracking_uri.startswith("sqlite:///"):
        path = Path(tracking_uri.removeprefix("sqlite:///").partition("?")[0])
        path.parent.mkdir(parents=True, exist_ok=True)
        sqlite3.connect(path).close()


def child_tags(parent_run: str | None) -> dict[str, str]:
    """Tags of a run that MLflow shows below `parent_run`."""
    return {MLFLOW_PARENT_RUN_ID: parent_run} if parent_run else {}


def bound_method(function: Callable[..., Any]) -> Callable[..., Any]:
    """The handler itself: ignite wraps those that have an event filter and those that take no engine."""
    return getattr(function, "_parent", lambda: None)() or function


def parameter_counts(network: torch.nn.Module) -> dict[str, int]:
    """Numbers of trained and frozen parameters of the network."""
    counts = {"trained_parameters": 0, "network_frozen_parameters": 0}
    for parameter in network.parameters():
        counts["trained_parameters" if parameter.requires_grad else "network_frozen_parameters"] += parameter.numel()
    return counts


def is_local(tracking_uri: str) -> bool:
    """Whether an MLflow address is a file or a folder, and no server."""
    return tracking_uri.startswith("sqlite:") or is_local_uri(tracking_uri)


def _without_password(address: str | None) -> str:
    return str(without_passwords({"at": address})["at"] or "its default address")


def _reason(error: BaseException) -> str:
    """The innermost cause in a few words: a database's message quotes the whole statement."""
    return first_line(innermost(error))[:200]


def without_passwords(config: dict[str, Any]) -> dict[str, Any]:
    """A config without the `user:password@` of the addresses in it."""
    return json.loads(re.sub(r"(?<=://)[^/\s\"']*@", "", json.dumps(config)))
