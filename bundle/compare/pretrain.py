"""The stage of pre-training: every cell, then its evaluation on each data set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from ..jobs.digest import digest
from ..jobs.record import Record, read_record
from ..jobs.run import run_cells
from ..jobs.workers import Work
from ..sweep.plan import Cell, Init
from .plan import Comparison, EvaluationCell, PretrainingCell
from .starts import name_of, settings_of, starts


@dataclass(frozen=True)
class Probe:
    """A data set that pre-trainings are evaluated on.

    Attributes:
        data: the data set.
        overrides: protocol and labels of `evaluate.json`.
        digest: of its table.
    """

    data: str
    overrides: Mapping[str, Any]
    digest: str


@dataclass(frozen=True)
class Pretrained:
    """How the pre-trainings and their evaluations have ended; `evaluated` has one more key, the data set."""

    comparison: Comparison
    ended: Mapping[PretrainingCell, Record]
    evaluated: Mapping[EvaluationCell, Record]

    @property
    def failed(self) -> list[tuple[PretrainingCell | EvaluationCell, Record]]:
        """What has not ended well."""
        every: dict[Any, Record] = {**self.ended, **self.evaluated}
        return [(cell, record) for cell, record in every.items() if record.status in ("failed", "died")]

    def inits(self) -> list[Init]:
        """What the tasks start from."""
        return starts(self.comparison, settings_of(self.comparison, self.ended))

    def digests(self) -> dict[str, str]:
        """Of the weights that were made."""
        done = [cell for cell, record in self.ended.items() if record.status == "done"]
        return {str(cell.weights): digest(cell.weights) for cell in done}

    def without_weights(self, cells: Sequence[Cell]) -> dict[Cell, Record]:
        """Cells of the tasks whose pre-training has made no weights."""
        encoders = {encoder.name: encoder for encoder in self.comparison.encoders}
        lacking = {
            (name_of(cell.method, encoders[cell.encoder]), cell.seed): record.reason
            for cell, record in self.ended.items()
            if record.status != "done"
        }
        return {
            cell: Record("skipped", f"its pre-training failed: {lacking[cell.init, cell.seed]}")
            for cell in cells
            if (cell.init, cell.seed) in lacking
        }


def pretrain(
    comparison: Comparison,
    probes: Sequence[Probe],
    devices: Sequence[str],
    works: tuple[Work, Work],
    console: Console,
) -> Pretrained:
    """Runs what of the stage has not ended well yet.

    Args:
        comparison: what to pre-train.
        probes: data sets to evaluate on.
        devices: see `run_on`.
        works: of a pre-training, and of an evaluation.
        console: to print on.

    Raises:
        CxrError: a pre-training that is done was made with other data, weights or settings.
    """
    cells = comparison.cells()
    ended = {cell: record for cell in cells if (record := read_record(cell)) is not None}
    run_cells(cells, ended, devices, works[0], console, fresh=True)  # the peak memory of each is its own
    evaluations = [evaluation_cell(cell, probe) for probe in probes for cell in cells if ended[cell].status == "done"]
    evaluated = {cell: record for cell in evaluations if (record := read_record(cell)) is not None}
    run_cells(evaluations, evaluated, devices, works[1], console)
    return Pretrained(comparison, ended, evaluated)


def evaluation_cell(cell: PretrainingCell, probe: Probe) -> EvaluationCell:
    """The evaluation of a pre-training that is done."""
    folder = cell.folder / "evaluation" / (Path(probe.data).stem or "data")
    made_from = {"data": probe.digest, "weights": digest(cell.weights)}
    return EvaluationCell(cell, probe.data, folder, probe.overrides, made_from)
