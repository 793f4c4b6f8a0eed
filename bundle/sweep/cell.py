"""One cell in a worker: MONAI's workflow of `train.json`, then that of `evaluate.json`, in the cell's own folder."""

from __future__ import annotations

import sys
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from monai.bundle import ConfigWorkflow

from scripts.data.masks import LoadMasksd
from scripts.engine.state import parts
from scripts.engine.stop import was_stopped
from scripts.errors import CxrError
from scripts.statistics.draws import Draws
from scripts.statistics.estimate import mean_over_classes
from scripts.tasks.detection.average_precision import published_images
from scripts.tasks.headline import headline, unscored
from scripts.tasks.report import split_table

from .plan import Cell
from .record import Record, note
from .runner import Runner, checkpoint_of

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
                state |= training_facts(cell.task, training)
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
        own = {"cache_dir": str(self.features)} if cell.task == "classification" else {}
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


def training_facts(task: str, workflow: ConfigWorkflow) -> dict[str, Any]:
    """Names, and what the training items hold of each: exactly those that the configuration will train on."""
    names = [str(name) for name in workflow.parser.get_parsed_content("names")]
    items = workflow.parser.get_parsed_content("train#dataset#data")
    positives = dict.fromkeys(names, 0)
    if task == "classification":
        labels = np.stack([np.asarray(item["label"], dtype=float) for item in items])
        positives = dict(zip(names, (labels == 1).sum(axis=0).tolist()))
    elif task == "detection":
        for item in items:
            for index in np.unique(item["label"]):
                positives[names[int(index)]] += 1
    else:
        positives = _positive_masks(items, names, int(workflow.parser.get_parsed_content("image_size")))
    patients = len({item["patient_id"] for item in items})
    return {"names": names, "training": {"images": len(items), "patients": patients, "positives": positives}}


def _positive_masks(items: Sequence[Mapping[Hashable, Any]], names: Sequence[str], size: int) -> dict[str, int]:
    """Known masks of each name, or 0 when all of them are empty; masks are read until one is not."""
    load = LoadMasksd(keys="label", size=size)
    known = {name: sum(bool(item["label"][index]) for item in items) for index, name in enumerate(names)}
    found: set[str] = set()
    for item in items:
        if any(reference and name not in found for name, reference in zip(names, item["label"])):
            masks = load(item)["label"]
            found |= {name for name, mask in zip(names, masks) if bool((mask > 0).any())}
    return {name: count if name in found else 0 for name, count in known.items()}


def _scored(cell: Cell, record: Record) -> Record:
    """The record with its headline, and for detection with the published tables' variant of it."""
    table = split_table(pd.read_parquet(cell.folder / "evaluation" / "predictions.parquet")).scored
    missing = unscored(cell.task, table, record.names)
    only = [name for name in record.names if name not in missing and record.training["positives"][name]]
    if not only:
        return record
    value = _number(cell.task, table, record.names, only)
    metrics: dict[str, float | None] = dict(record.metrics)
    if cell.task == "detection":
        metrics["map_published"] = _number(cell.task, published_images(table), record.names, only)
    known = {name: found for name, found in metrics.items() if found is not None}
    return replace(record, value=value, metrics=known)


def _number(task: str, table: pd.DataFrame, names: Sequence[str], only: Sequence[str]) -> float | None:
    if table.empty:
        return None
    value = float(mean_over_classes(headline(task, table, names, Draws.once(len(table)), only))[0])
    return value if np.isfinite(value) else None
