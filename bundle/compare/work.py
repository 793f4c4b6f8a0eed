"""A pre-training and its evaluation in a worker: MONAI's workflows of `train.json` and `evaluate.json`."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monai.bundle import ConfigWorkflow

from scripts.engine.state import parts, unwrap
from scripts.engine.stop import was_stopped

from ..jobs.record import BEGUN, Record, note, read_record
from ..jobs.runner import Runner, checkpoint_of
from .plan import CONFIGS, EvaluationCell, PretrainingCell

COST = "cost.json"


@dataclass(frozen=True)
class PretrainingRunner(Runner):
    """Pre-trains, and measures what that costs.

    Args:
        features: folder of stored features of frozen encoders, which all pre-trainings share.
    """

    features: Path

    def run(self, cell: PretrainingCell, device: str, state: dict[str, Any]) -> Record:
        """Trains; the record has the costs, and the names that were learned where the method learns labels."""
        if not state["trained"]:
            workflow = self._workflow(cell, device)
            workflow.run()
            trainer = workflow.parser.get_parsed_content("train#trainer")
            if was_stopped(trainer):
                sys.exit(143)  # by a signal: the checkpoint is there, and the next sweep goes on from it
            names = workflow.parser.get_parsed_content("names") if "names" in workflow.parser else []
            state |= {
                "trained": True,
                "run_id": getattr(parts(trainer).get("tracking"), "run_id", None),
                "names": [str(name) for name in names],
                "language_model_parameters": _language_model(workflow),
            }
            note(cell, state)
        cost = json.loads((cell.folder / COST).read_text(encoding="utf-8"))
        metrics = {name: float(value) for name, value in cost.items() if isinstance(value, (int, float))}
        metrics["language_model_parameters"] = float(state["language_model_parameters"])
        self.log(state["run_id"], {f"cost_{name}": value for name, value in metrics.items()})
        card = json.loads(cell.weights.with_suffix(".json").read_text(encoding="utf-8"))
        return Record("done", names=tuple(state["names"]), metrics=metrics, value=card["best"]["value"])

    def _workflow(self, cell: PretrainingCell, device: str) -> ConfigWorkflow:
        overrides = {
            "experiment_name": self.tracked.experiment_name,
            "tracking_uri": self.tracked.tracking_uri,
            **cell.overrides,
            "run_name": cell.name,
            "device": device,
            "ckpt_dir": str(cell.folder / "models"),
            "resume": checkpoint_of(cell).is_file(),
        }
        workflow = _read(["train.json", *cell.configs], overrides, cell.folder / "training", "training")
        handlers = workflow.parser["train::handlers"]
        for handler in handlers:
            if "artifacts" in handler:  # without the weights, which lie in the cell
                kept = [cell.folder / "training" / name for name in ("history.json", "pictures")]
                handler |= {"artifacts": [*map(str, kept)], "parent_run": self.tracked.parent_run}
        cost = {"network": "@network", "path": str(cell.folder / COST)}
        handlers.insert(1, {"_target_": "scripts.engine.MeasureCost", **cost})
        if "features_dir" in workflow.parser and "features_dir" not in cell.overrides:
            workflow.parser["features_dir"] = str(self.features)  # so that storing them is part of what is measured
        workflow.initialize()
        return workflow


@dataclass(frozen=True)
class EvaluationRunner(Runner):
    """Runs `evaluate.json` over a pre-training's weights."""

    def run(self, cell: EvaluationCell, device: str, state: dict[str, Any]) -> Record:
        """Evaluates; what was found is in the folder's `evaluation.json`."""
        trained = read_record(cell.of)
        assert trained is not None
        names = {"names": list(trained.names)} if trained.names else {}  # of the head, whatever this data set has
        overrides = {
            **cell.of.overrides,
            # Prompts must be read by the model that read the reports.
            "text_encoder#source": cell.of.overrides["dataset_dir"],
            **names,
            **cell.overrides,
            "dataset_dir": cell.data,
            "random_seeds": [cell.of.seed],
            "device": device,
            "ckpt_dir": str(cell.of.folder / "models"),
        }
        files = ["train.json", *cell.of.configs, str(CONFIGS / "evaluate.json")]
        workflow = _read(files, overrides, cell.folder, "evaluation")
        workflow.initialize()
        workflow.run()
        found = workflow.parser.get_parsed_content("validate#evaluator").state.metrics
        metrics = {name: float(value) for name, value in found.items() if isinstance(value, (int, float))}
        begun = json.loads((cell.of.folder / BEGUN).read_text(encoding="utf-8"))
        where = Path(cell.data).name
        self.log(begun.get("run_id"), {f"{where} {name}".replace(":", ""): value for name, value in metrics.items()})
        evaluation = json.loads((cell.folder / "evaluation.json").read_text(encoding="utf-8"))
        return Record("done", metrics=metrics, value=macro_zero_shot(evaluation).get("value"))


def macro_zero_shot(evaluation: Mapping[str, Any]) -> dict[str, Any]:
    """`value`, `lo`, `hi` of the macro AUROC of zero-shot classification; empty where there is none."""
    found: dict[str, Any] = next(iter(evaluation.get("zero_shot", {}).values()), {})
    return found.get("macro", {})


def _read(files: Sequence[str], overrides: Mapping[str, Any], output: Path, kind: str) -> ConfigWorkflow:
    workflow = ConfigWorkflow(
        config_file=[str(CONFIGS / files[0]), *files[1:]],
        meta_file=str(CONFIGS / "metadata.json"),
        logging_file=False,
        workflow_type=kind,
        **{**overrides, "output_dir": str(output)},
    )
    workflow.parser.parse(reset=True)
    return workflow


def _language_model(workflow: ConfigWorkflow) -> int:
    """Parameters of the language model that the method learns from; 0 for a method that reads no report."""
    network = unwrap(workflow.parser.get_parsed_content("network"))
    if not hasattr(network, "project_text"):
        return 0
    return int(workflow.parser.get_parsed_content("text_encoder").parameter_count())
