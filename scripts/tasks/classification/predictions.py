"""Classification: a probability a finding, and the decision where a threshold is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd
from ignite.engine import Engine
from torch import Tensor

from ...atomic import write_text_atomically
from ...errors import CxrError
from ...predictions.writer import Original, PredictionWriter, by_name, output_tensor
from ...tables.csv_text import csv_text
from ..probabilities import Mode, probabilities
from .calibration import read_calibration


class ScoreWriter(PredictionWriter):
    """Writes `predictions.json` and `predictions.csv`: of each image the probability of each finding.

    With `mode="multilabel"` and thresholds also a decision a finding (`decisions` in the JSON, columns
    `<finding>_decision` in the CSV, 1 or 0), probability ≥ threshold; with "multiclass" the likeliest one (`class`).

    Args:
        folder, names: see `PredictionWriter`.
        mode: "multilabel" or "multiclass".
        temperature: of the calibration, one number or (multilabel) one a finding, as the evaluation found it.
        thresholds: on the calibrated probability: one for all, a list, or a mapping by finding; None = no decisions.
        calibration: the `calibration.json` of an evaluation, in place of both; None = what these two say.
        logits: False when the outputs are probabilities already, because `Probabilitiesd` ran before.
        **options: see `PredictionWriter`.
    """

    task: ClassVar[str] = "classification"

    def __init__(
        self,
        folder: str,
        names: Sequence[str],
        mode: Mode = "multilabel",
        temperature: float | Sequence[float] | Mapping[str, float] = 1.0,
        thresholds: float | Sequence[float] | Mapping[str, float] | None = None,
        logits: bool = True,
        calibration: str | Path | None = None,
        **options: Any,
    ) -> None:
        super().__init__(folder, names, **options)
        if calibration is not None:
            found = read_calibration(calibration)
            if found.mode != mode:
                raise CxrError(f"{calibration} is of mode {found.mode}, and this network of mode {mode}.")
            temperature, thresholds = found.temperature, found.thresholds
        if mode == "multiclass" and thresholds is not None:
            raise CxrError("thresholds are for multilabel: of classes that exclude each other the likeliest is taken.")
        self.mode: Mode = mode
        self.temperature: float | list[float] = (
            float(temperature)
            if isinstance(temperature, float | int)
            else by_name(temperature, self.names, "temperature")
        )
        self.thresholds = None if thresholds is None else by_name(thresholds, self.names, "thresholds")
        self.logits = logits

    def outputs(self, engine: Engine) -> list[Tensor]:
        """`(C,)` probabilities of each image."""
        found = output_tensor(engine, 2, len(self.names), "one number a finding")
        return list(probabilities(found, self.mode, self.temperature, dim=1) if self.logits else found.float())

    def describe(self, image_id: str, output: Tensor, original: Original) -> dict[str, Any]:
        """Probabilities and decisions."""
        values = output.tolist()
        entry: dict[str, Any] = {"probabilities": dict(zip(self.names, values, strict=True))}
        if self.mode == "multiclass":
            entry["class"] = self.names[int(output.argmax())]
        elif self.thresholds is not None:
            pairs = zip(self.names, values, self.thresholds, strict=True)
            entry["decisions"] = {name: value >= threshold for name, value, threshold in pairs}
        return entry

    def settings(self) -> dict[str, Any]:
        """How the numbers came about; of a temperature that another step applied nothing is known here."""
        thresholds = None if self.thresholds is None else dict(zip(self.names, self.thresholds, strict=True))
        return {"mode": self.mode, "temperature": self.temperature if self.logits else None, "thresholds": thresholds}

    def write(self, rows: list[dict[str, Any]]) -> None:
        """The JSON, and the same as a table."""
        super().write(rows)
        decided = self.thresholds is not None
        decisions = [f"{name}_decision" for name in self.names] if decided else []
        extra = ["class"] if self.mode == "multiclass" else decisions
        table = []
        for row in rows:
            numbers = [row.get("probabilities", {}).get(name) for name in self.names]
            found = row.get("decisions", {})
            cells = [int(found[name]) if name in found else None for name in self.names] if decided else []
            cells = [row.get("class")] if self.mode == "multiclass" else cells
            table.append([row["image_id"], row["image"], *numbers, *cells, row["error"]])
        frame = pd.DataFrame(table, columns=["image_id", "image", *self.names, *extra, "error"], dtype=object)
        write_text_atomically(csv_text(frame), self.folder / "predictions.csv")
