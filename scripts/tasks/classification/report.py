"""The evaluation of classification: every score beside its trivial level, calibration, subgroups, where it looked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from ignite.engine import Engine
from numpy.typing import NDArray
from scipy.special import log_softmax
from torch import Tensor

from ...errors import CxrError
from ...figures.overlays import HeatPanel, plot_heat_maps
from ...metrics.binary import Mode, lacking
from ...metrics.collect import collect_values
from ...statistics.draws import Draws
from ...statistics.estimate import MACRO
from ...tables.scores import run_row
from ..report import TaskReport, TaskScores
from ..scored_images import split_table
from .calibration import (
    WIDEST,
    Calibration,
    fit_temperature,
    predicted_probabilities,
    top_answer,
)
from .grad_cam import grad_cam
from .reliability_figure import plot_reliability
from .roc_figure import plot_roc_pr
from .scores import SCORES, ClassCounts, ScoresOfClasses, class_counts, score_classes
from .subgroup_rows import subgroup_tables
from .thresholds import best_f1_threshold

Floats = NDArray[np.float64]
ROWS = {
    "auroc": "AUROC",
    "auprc": "AUPRC",
    "f1": "F1",
    "sensitivity_at_90": "sensitivity at specificity .90",
    "sensitivity": "sensitivity of the answer",
    "specificity": "specificity of the answer",
    "accuracy": "accuracy",
    "ece": "calibration error as trained",
    "ece_calibrated": "calibration error with temperature",
}
TRIVIAL = (
    "Trivial: AUROC and sensitivity of chance, AUPRC and F1 of calling every image positive, accuracy of the best "
    "single answer for all images."
)
TOP = "the answer"


class ClassificationReport(TaskReport):
    """Report on a classification network, whose output is a logit a class.

    Scores, of each class and macro over the classes present, with 95 % intervals over patients: AUROC, average
    precision, sensitivity on the ROC curve where specificity is .90, and of the answers themselves F1, sensitivity,
    specificity and accuracy; the expected calibration error before and after temperature scaling; AUROC by sex, age and
    view where they are known. Validation images give the temperature and, with several findings, a threshold each (the
    best F1); in multiclass the most probable class is the answer. Macro accuracy is the share of images whose every
    known label is answered right.

    `calibration.json`, beside `evaluation.json`, has temperature and thresholds for inference. The table has columns
    `logit_<name>` and `label_<name>` (NaN = left out); in multiclass the logits are logarithms of the probabilities,
    so that each column ranks the images by itself.

    Args:
        mode: `multilabel` (also for a single finding) or `multiclass`.
        settings: the others are those of `TaskReport`.
    """

    heading: ClassVar[str] = "Classification"
    captions: ClassVar[Mapping[str, str]] = {
        "roc_pr": "ROC and precision–recall with 95 % bands over patients",
        "reliability": "Reliability: predicted probability and observed share, before and after temperature scaling",
        "worst_cases": "Worst cases: the surest wrong answers, and what speaks for the class named (Grad-CAM)",
        "best_cases": "Best cases: the surest right answers to what is there, and what speaks for it (Grad-CAM)",
    }

    def __init__(self, *args: Any, mode: Mode = "multilabel", **settings: Any) -> None:
        super().__init__(*args, **settings)
        if mode not in ("multilabel", "multiclass"):
            raise CxrError(f"mode must be multilabel or multiclass, not {mode!r}.")
        if mode == "multiclass" and len(self.names) < 2:
            raise CxrError("multiclass needs two names or more; one finding is mode=multilabel.")
        self.mode: Mode = mode

    def rows(self, engine: Engine) -> list[dict[str, Any]]:
        logits, labels = (collect_values(engine.state.output, key) for key in ("pred", "label"))
        for value in (logits, labels):
            if not isinstance(value, Tensor) or value.ndim != 2 or value.shape[1] != len(self.names):
                found = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
                raise CxrError(f"{type(self).__name__} needs logits and labels (B, {len(self.names)}), got {found}.")
        values = logits.double().numpy()
        if self.mode == "multiclass":
            values = log_softmax(values, axis=1)
        kinds = (("logit", values), ("label", labels.double().numpy()))
        return [
            {f"{kind}_{name}": float(table[i, c]) for kind, table in kinds for c, name in enumerate(self.names)}
            for i in range(len(values))
        ]

    def score(self, table: pd.DataFrame) -> TaskScores:
        chosen, scored, _ = split_table(table)
        calibration, limits, notes = self.calibrate(chosen)
        calibration.write(self.folder / "calibration.json")
        draws = Draws.of(scored["patient"].to_numpy(), self.resamples)
        logits, labels = self._columns(scored, "logit"), self._columns(scored, "label")
        found = score_classes(logits, labels, self.names, draws, self.mode, calibration.temperature, limits)
        counts = class_counts(labels, self.names)
        # The means first: with fourteen findings the table is long.
        entries = [(score, name, one) for score in ROWS for name, one in found.get(score, {}).items()]
        entries.sort(key=lambda entry: entry[1] != MACRO)
        rows = [run_row(self._title(score, name, counts), one) for score, name, one in entries]
        headline = MACRO if len(self.names) > 1 else self.names[0]
        metrics = {score: classes[headline].value for score, classes in found.items()}
        areas = {name: found["auroc"][name] for name in self.names}
        metrics |= {f"auroc_{name}": area.value for name, area in areas.items()}
        absent = [f"{name} ({area.reason})" for name, area in areas.items() if area.value is None]
        if absent:
            notes.append(f"Not scored, and left out of the macro average: {', '.join(absent)}.")
        details = {
            **asdict(calibration),
            "chosen_on": class_counts(self._columns(chosen, "label"), self.names),
            "scored_on": counts,
            "scores": found,
        }
        present = {name: value for name, value in metrics.items() if value is not None}
        tables = subgroup_tables(scored, self.names, draws)
        return TaskScores(rows, present, details, [TRIVIAL, *notes], tables)

    def calibrate(self, chosen: pd.DataFrame) -> tuple[Calibration, list[float], list[str]]:
        """Temperature and thresholds from the images that choose them, and what there is to say about it.

        Returns:
            The calibration, with 0.5 where no threshold could be chosen; the thresholds with NaN there; sentences.
        """
        logits, labels = self._columns(chosen, "logit"), self._columns(chosen, "label")
        temperature = fit_temperature(logits, labels, self.mode)
        notes = [f"The temperature, {temperature:.2f}, comes from {len(chosen)} images."]
        if not 1 / WIDEST < temperature * 0.99 < temperature * 1.01 < WIDEST:
            notes.append("It is at the end of its range: these images are too few, or answered all right or all wrong.")
        if self.mode == "multiclass":
            return Calibration(self.mode, temperature, None), [0.5] * len(self.names), notes
        p = predicted_probabilities(logits, self.mode, temperature)
        best = {name: best_f1_threshold(labels[:, i], p[:, i]) for i, name in enumerate(self.names)}
        notes.append(f"Thresholds, of best F1, come from the same {len(chosen)} images.")
        undecided = [f"{name} ({lacking(labels[:, i])})" for i, name in enumerate(self.names) if best[name] is None]
        if undecided:
            notes.append(f"They choose none, and inference takes 0.5, for {', '.join(undecided)}.")
        limits = [np.nan if value is None else value for value in best.values()]
        thresholds = {name: 0.5 if value is None else value for name, value in best.items()}
        return Calibration(self.mode, temperature, thresholds), limits, notes

    def draw(self, table: pd.DataFrame, scores: TaskScores, pictures: Path) -> None:
        scored = split_table(table).scored
        logits, labels = self._columns(scored, "logit"), self._columns(scored, "label")
        temperature = scores.details["temperature"]
        kinds = {"as trained": 1.0, f"temperature {temperature:.2f}": temperature}
        p = {kind: predicted_probabilities(logits, self.mode, value) for kind, value in kinds.items()}
        told: ScoresOfClasses = scores.details["scores"]
        auroc, auprc = ({n: cell for n, cell in told[s].items() if cell.value is not None} for s in ("auroc", "auprc"))
        patients = scored["patient"].tolist()
        plot_roc_pr(labels, logits, self.names, pictures / "roc_pr.png", groups=patients, auroc=auroc, auprc=auprc)
        ece = dict(zip(kinds, (told["ece"], told["ece_calibrated"]), strict=True))
        path = pictures / "reliability.png"
        if self.mode == "multiclass":
            known = ~np.isnan(labels).any(axis=1)
            answers = {kind: top_answer(labels[known], one[known]) for kind, one in p.items()}
            right = answers["as trained"][0][:, None]
            sure = {kind: one[1][:, None] for kind, one in answers.items()}
            named = {kind: {TOP: cells[MACRO]} for kind, cells in ece.items()}
            plot_reliability(right, sure, [TOP], path, "Reliability: how often the answer is right", ece=named)
        else:
            plot_reliability(labels, p, self.names, path, ece=ece)
        self._draw_cases(scored, labels, list(p.values())[-1], pictures)

    def _draw_cases(self, scored: pd.DataFrame, labels: Floats, p: Floats, pictures: Path) -> None:
        """Grad-CAM of the class that makes an image a worst, or best, case: the surest error, the surest find."""
        error = np.abs(labels - p)
        hit = np.where(labels == 1, p, np.nan)
        for stem, measure, title in (
            ("worst_cases", error, "Surest wrong answers and Grad-CAM"),
            ("best_cases", hit, "Surest right answers and Grad-CAM"),
        ):
            told = np.flatnonzero(~np.isnan(measure).all(axis=1))
            order = told[np.argsort(-np.nanmax(measure[told], axis=1), kind="stable")]
            panels = []
            for place, case in zip(order, self.examples(scored, scored.index[order].tolist())):
                c = int(np.nanargmax(measure[place]))
                truth = "present" if labels[place, c] == 1 else "absent"
                line = f"case {case.case}: {self.names[c]} {p[place, c]:.2f}, {truth}"
                panels.append(HeatPanel(case.grey, grad_cam(self.network, case.item["image"], c), line))
            if panels:
                plot_heat_maps(panels, pictures / f"{stem}.png", title)

    def _columns(self, table: pd.DataFrame, kind: str) -> Floats:
        """`[n, c]` of the columns `<kind>_<name>`."""
        return table[[f"{kind}_{name}" for name in self.names]].to_numpy(dtype=np.float64)

    def _title(self, score: str, name: str, counts: Mapping[str, ClassCounts]) -> str:
        if name in counts:
            return f"{ROWS[score]} {name} ({counts[name].positives} of {counts[name].n})"
        if self.mode == "multiclass" and score not in SCORES:
            return ROWS[score]
        return "accuracy, all labels of an image" if score == "accuracy" else f"{ROWS[score]} {MACRO}"
