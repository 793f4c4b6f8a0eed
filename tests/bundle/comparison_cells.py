"""Pre-trainings and evaluations of a comparison without training, with numbers that are known."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from bundle.compare.plan import EvaluationCell, PretrainingCell
from bundle.jobs.record import Record, begin, write_record
from tests.bundle.sweep_cells import FakeWork

PARAMETERS = {"mflag": 33_483_840.0, "supervised": 23_518_277.0, "adaptor": 11_912_705.0}


@dataclass(frozen=True)
class FakeComparison:
    """In place of MONAI's workflows, for all three kinds of cell.

    Args:
        tasks: of the tasks' cells; its log gets a line for the others as well.
        fail: parts of the names of pre-trainings that fail on their first attempt.
    """

    tasks: FakeWork
    fail: tuple[str, ...] = ()

    def __call__(self, cell: Any, device: str) -> Record:
        if not isinstance(cell, (PretrainingCell, EvaluationCell)):
            return self.tasks(cell, device)
        before = self.tasks.log.read_text() if self.tasks.log.exists() else ""
        with self.tasks.log.open("a") as file:
            file.write(f"{cell.name} on {device}\n")
        begin(cell)
        if cell.name not in before and any(part in cell.name for part in self.fail):
            return write_record(cell, Record("failed", "diverged", seconds=1.0))
        return write_record(cell, _pretrain(cell) if isinstance(cell, PretrainingCell) else _evaluate(cell))


def _pretrain(cell: PretrainingCell) -> Record:
    (cell.folder / "models").mkdir()
    (cell.folder / "training").mkdir()
    cell.weights.write_bytes(cell.name.encode())
    adapted = {"encoder": "adaptor", "encoder_options": {"body": cell.overrides["encoder"]}}
    settings = adapted if cell.method == "adaptor" else {"encoder": cell.overrides["encoder"]}
    card = {"settings": settings, "best": {"metric": "retrieval", "value": 0.5, "epoch": 1}}
    cell.weights.with_suffix(".json").write_text(json.dumps(card))
    rows = [{"epoch": epoch, "loss": 1.0, "val_effective_rank": 9.0 - epoch, "val_collapsed": float(epoch > 1)}
            for epoch in (1, 2)]  # fmt: skip
    (cell.folder / "training" / "history.json").write_text(json.dumps(rows))
    metrics = {
        "trained_parameters": PARAMETERS[cell.method], "network_frozen_parameters": 0.0, "steps": 40.0,
        "language_model_parameters": 7.0, "step_seconds": 0.25 + cell.seed, "step_cpu_seconds": 0.25,
        "one_off_seconds": 3.0 if cell.seed == 0 else 0.1, "training_seconds": 9.0, "peak_memory_mib": 1234.4,
    }  # fmt: skip
    return Record("done", seconds=1.0, metrics=metrics, value=0.5)


def _evaluate(cell: EvaluationCell) -> Record:
    geometry = {
        "pre-trained": {"effective_rank": 12.0},
        f"random initialisation {cell.of.seed}": {"effective_rank": 5.0},
    }
    result: dict[str, Any] = {"geometry": geometry, "shared_space": ""}
    if cell.of.method == "supervised":
        result["shared_space"] = "Supervised has no space that images and reports share"
    else:
        value = 0.6 + 0.1 * cell.of.seed
        result["zero_shot"] = {"pre-trained": {"macro": {"value": value, "lo": value - 0.1, "hi": value + 0.1}}}
        scores = {f"r_at_{k}": {"value": 0.1 * k, "chance": 0.05 * k, "lo": 0.0, "hi": 1.0} for k in (1, 5, 10)}
        scores["median_rank"] = {"value": 4.0, "chance": 8.0}
        result["retrieval"] = {"pre-trained": {"image_to_report": scores, "report_to_image": scores}}
    (cell.folder / "evaluation.json").write_text(json.dumps(result))
    return Record("done", seconds=1.0, value=None)
