"""One cell in a worker: MONAI's workflow of `train.json`, then that of `evaluate.json`, in the cell's own folder."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from monai.bundle import ConfigWorkflow

from scripts.engine.state import parts
from scripts.engine.stop import was_stopped
from scripts.errors import CxrError
from scripts.statistics.draws import Draws
from scripts.statistics.estimate import mean_over_classes
from scripts.tasks.registry import TASKS
from scripts.tasks.scored_images import split_table
from scripts.tasks.task import Task

from ..jobs.record import Record, note
from ..jobs.runner import Runner, checkpoint_of
from .plan import Cell

CONFIGS = Path("configs")


@dataclass(frozen=True)
class CellRunner(Runner):
    """Trains, evaluates, and writes the cell's files.

    Args:
        features: folder of the features of frozen encoders, which all cells share.
    """

    features: Path

    def run(self, cell: Cell, device: str, state: dict[str, Any]) -> Record:
        """Trains and evaluates."""
        overrides = self._overrides(cell, device)
        if not state["trained"]:
            training = self._workflow(cell, ["train.json"], overrides, "training")
            try:
                state |= training_facts(TASKS[cell.task], training)
            except CxrError as error:
                if cell.fraction == 100:
                    raise
                return Record("skipped", str(error))  # so few images that none is left
            if not any(state["training"]["positives"].values()):
                reason = f"none of the {state['training']['images']} training images is positive for anything"
                return Record("skipped", reason, names=tuple(state["names"]), training=state["training"])
            training.run()
            trainer = training.parser.get_parsed_content("train#trainer")
            if was_stopped(trainer):
                sys.exit(143)  # by a signal: the checkpoint is there, and the next sweep goes on from it
            state |= {"trained": True, "run_id": getattr(parts(trainer).get("tracking"), "run_id", None)}
            note(cell, state)
        # The sweep draws its own bootstrap from the predictions; a page for each cell would take longer than a probe.
        lean = {"pictures": False, "resamples": 100}
        evaluation = self._workflow(cell, ["train.json", "evaluate.json"], {**lean, **overrides}, "evaluation")
        evaluation.run()
        found = evaluation.parser.get_parsed_content("validate#evaluator").state.metrics
        metrics = {name: float(value) for name, value in found.items() if np.ndim(value) == 0}
        record = Record("done", names=tuple(state["names"]), training=state["training"], metrics=metrics)
        record = _scored(cell, record)
        self.log(state.get("run_id"), {f"test_{name}": value for name, value in record.metrics.items()})
        return record

    def _overrides(self, cell: Cell, device: str) -> dict[str, Any]:
        own = {"cache_dir": str(self.features)} if TASKS[cell.task].caches_features else {}
        return {
            **own,
            "experiment_name": self.tracked.experiment_name,
            "tracking_uri": self.tracked.tracking_uri,
            **cell.overrides,
            "run_name": cell.name,
            "parent_run": self.tracked.parent_run,
            "device": device,
            "ckpt_dir": str(cell.folder / "models"),
            "resume": checkpoint_of(cell).is_file(),
        }

    def _workflow(self, cell: Cell, files: Sequence[str], overrides: Mapping[str, Any], kind: str) -> ConfigWorkflow:
        folder = CONFIGS / cell.task
        configs = [str(folder / files[0]), *cell.configs, *(str(folder / file) for file in files[1:])]
        workflow = ConfigWorkflow(
            config_file=configs,
            meta_file=str(folder / "metadata.json"),
            logging_file=False,
            workflow_type=kind,
            **{**overrides, "output_dir": str(cell.folder / kind)},
        )
        workflow.parser.parse(reset=True)  # puts the parts that the tasks share in their places
        if kind == "training":
            for handler in workflow.parser["train::handlers"]:
                if "artifacts" in handler:  # without the weights: a sweep has hundreds, and they lie in the cells
                    handler["artifacts"] = [str(cell.folder / kind / name) for name in ("history.json", "pictures")]
        else:
            workflow.parser["encoder_weights"] = None  # the trained weights hold the encoder's
            for handler in workflow.parser["validate::handlers"]:
                if "tracking" in handler:  # the scores go to the cell's own run, not to a second one
                    handler["tracking"] = None
        workflow.initialize()
        return workflow


def training_facts(task: Task, workflow: ConfigWorkflow) -> dict[str, Any]:
    """Names, and what the training items hold of each: exactly those that the configuration will train on."""
    names = [str(name) for name in workflow.parser.get_parsed_content("names")]
    items = workflow.parser.get_parsed_content("train#dataset#data")
    positives = task.positives(items, names, int(workflow.parser.get_parsed_content("image_size")))
    patients = len({item["patient_id"] for item in items})
    return {"names": names, "training": {"images": len(items), "patients": patients, "positives": positives}}


def _scored(cell: Cell, record: Record) -> Record:
    """The record with its headline, and with that of the task's other choices of images."""
    task, names = TASKS[cell.task], record.names
    table = split_table(pd.read_parquet(cell.folder / "evaluation" / "predictions.parquet")).scored
    missing = task.unscored(table, names)
    only = [name for name in names if name not in missing and record.training["positives"][name]]
    if not only:
        return record
    value = _number(task, table, names, only)
    others = {metric: _number(task, images, names, only) for metric, images in task.variants(table).items()}
    known = {name: found for name, found in {**record.metrics, **others}.items() if found is not None}
    return replace(record, value=value, metrics=known)


def _number(task: Task, table: pd.DataFrame, names: Sequence[str], only: Sequence[str]) -> float | None:
    if table.empty:
        return None
    value = float(mean_over_classes(task.class_scores(table, names, Draws.once(len(table)), only))[0])
    return value if np.isfinite(value) else None
