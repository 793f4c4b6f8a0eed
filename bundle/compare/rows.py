"""The comparison's table: a line a score, a column a method with its encoder; an empty cell says why."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from statistics import fmean, median
from typing import Any

import numpy as np
import pandas as pd

from scripts.metrics.collapse import first_collapse
from scripts.statistics.estimate import Estimate
from scripts.tables.scores import ScoreRow, short_number

from ..jobs.record import Record
from ..sweep.plan import RANDOM
from ..sweep.table import sweep_rows
from .plan import EvaluationCell, PretrainingCell
from .pretrain import Pretrained
from .starts import AS_IS, name_of
from .work import macro_zero_shot

MODELS = Path(__file__).with_name("models.csv")
WAYS = {"image_to_report": "image→report", "report_to_image": "report→image"}
RANKS = {"r_at_1": "R@1", "r_at_5": "R@5", "r_at_10": "R@10", "median_rank": "median rank"}
Number = Callable[[float], str]  # to text
Summary = Callable[[list[float]], float]  # over seeds


@dataclass(frozen=True)
class Trained:
    """One column: all seeds of a method with an encoder."""

    name: str
    cells: Mapping[PretrainingCell, Record]
    evaluated: Mapping[EvaluationCell, Record]

    @property
    def done(self) -> list[PretrainingCell]:
        """Seeds that were trained."""
        return [cell for cell, record in self.cells.items() if record.status == "done"]

    @property
    def reason(self) -> str:
        """Why there is no number."""
        reasons = {record.reason for record in self.cells.values() if record.status != "done"}
        return "; ".join(sorted(reasons)) or "not run yet"

    def cost(self, key: str) -> list[float]:
        """Of each seed that has it."""
        found = [self.cells[cell].metrics.get(key) for cell in self.done]
        return [value for value in found if value is not None]

    def evaluations(self, data: str) -> list[dict[str, Any]]:
        """`evaluation.json` of each seed on a data set."""
        cells = [c for c, record in self.evaluated.items() if c.data == data and record.status == "done"]
        return [json.loads((cell.folder / "evaluation.json").read_text(encoding="utf-8")) for cell in cells]

    def no_evaluation(self, data: str) -> str:
        """Why there is no evaluation."""
        reasons = {r.reason for c, r in self.evaluated.items() if c.data == data and r.status != "done"}
        return "; ".join(sorted(reasons)) or self.reason

    @cached_property
    def history(self) -> list[dict[str, float]]:
        """Rows of all seeds, one seed after the other."""
        files = [cell.folder / "training" / "history.json" for cell in self.done]
        return [row for file in files for row in json.loads(file.read_text(encoding="utf-8"))]


def columns(pretrained: Pretrained) -> list[Trained]:
    """One a method and encoder, in the order in which they were asked for."""
    found = []
    for method, encoder in pretrained.comparison.pairs:
        cells = {c: r for c, r in pretrained.ended.items() if (c.method, c.encoder) == (method, encoder.name)}
        evaluated = {c: r for c, r in pretrained.evaluated.items() if c.of in cells}
        found.append(Trained(name_of(method, encoder), cells, evaluated))
    return found


def comparison_rows(pretrained: Pretrained, frame: pd.DataFrame, data: str, probe: str) -> list[ScoreRow]:
    """All lines of the table.

    Args:
        pretrained: the first stage.
        frame: of `aggregate`, of the tasks.
        data: data set of pre-training: retrieval and geometry.
        probe: that of the tasks: zero-shot classification.
    """
    trained = columns(pretrained)
    rows = [*_costs(trained), *sweep_rows(frame), _zero_shot(trained, probe), *_retrieval(trained, data)]
    rows += [_effective_rank(trained, pretrained, data), _collapsed(trained)]
    others = [name for name in dict.fromkeys(frame["init"]) if name not in {one.name for one in trained}]
    return [_in_order(row, [*others, *(one.name for one in trained)]) for row in rows]


def comparison_frame(rows: Sequence[ScoreRow]) -> pd.DataFrame:
    """One line a method and encoder; for each score its value, and `lo`, `hi`, `trivial` and `note` where there are
    any."""
    lines = []
    for name in dict.fromkeys(name for row in rows for name in row.scores):
        line: dict[str, Any] = {"method": name}
        for row in rows:
            score = row.scores.get(name, Estimate(None))
            line[row.name] = score.value
            line |= {f"{row.name}, {end}": getattr(score, end) for end in ("lo", "hi")}
            line |= {f"{row.name}, trivial": row.trivial, f"{row.name}, note": score.reason or None}
        lines.append(line)
    frame = pd.DataFrame(lines)
    told = [column for row in rows for column in frame if column == row.name]
    return frame[["method", *[c for c in frame if c != "method" and (c in told or frame[c].notna().any())]]]


def _costs(trained: Sequence[Trained]) -> Iterable[ScoreRow]:
    def row(name: str, key: str, of: Summary = median, number: Number = short_number) -> ScoreRow:
        return ScoreRow(name, {one.name: _of(one, one.cost(key), of) for one in trained}, number=number)

    yield row("trained parameters", "trained_parameters", number=_whole)
    for model in pd.read_csv(MODELS).itertuples():
        saved = [(one, [100 * (1 - n / model.parameters) for n in one.cost("trained_parameters")]) for one in trained]
        name = f"fewer trained parameters than {model.name} (%)"
        yield ScoreRow(name, {one.name: _of(one, shares, median) for one, shares in saved})
    yield row("frozen parameters, image side", "network_frozen_parameters", number=_whole)
    yield row("frozen parameters, language model", "language_model_parameters", number=_whole)
    yield row("steps", "steps", number=_whole)
    yield row("seconds a step", "step_seconds")
    yield row("CPU seconds a step", "step_cpu_seconds")
    yield row("one-off seconds", "one_off_seconds", max)  # what one seed has stored, the others find
    yield row("seconds of all epochs", "training_seconds")
    yield row("peak memory (MiB)", "peak_memory_mib", max, _whole)


def _zero_shot(trained: Sequence[Trained], probe: str) -> ScoreRow:
    scores: dict[str, Estimate] = {}
    for one in trained:
        found = one.evaluations(probe)
        macros = [macro for macro in map(macro_zero_shot, found) if macro.get("value") is not None]
        lacking = next((e["shared_space"] for e in found if e.get("shared_space")), "")
        reason = lacking or ("no finding to score" if found else one.no_evaluation(probe))
        scores[one.name] = _mean(macros, len(one.cells), reason)
    return ScoreRow("zero-shot macro AUROC", scores, trivial=0.5)


def _retrieval(trained: Sequence[Trained], data: str) -> Iterable[ScoreRow]:
    for way, label in WAYS.items():
        for key, shown in RANKS.items():
            scores, chance = {}, None
            for one in trained:
                evaluations = one.evaluations(data)
                found = [next(iter(e["retrieval"].values()))[way] for e in evaluations if e.get("retrieval")]
                entries = [entry[key] for entry in found if key in entry]
                lacking = next((e["shared_space"] for e in evaluations if e.get("shared_space")), "")
                reason = lacking or ("too few reports" if evaluations else one.no_evaluation(data))
                scores[one.name] = _mean(entries, len(one.cells), reason)
                chance = entries[0].get("chance") if entries else chance
            yield ScoreRow(f"{shown} {label}", scores, trivial=chance)


def _effective_rank(trained: Sequence[Trained], pretrained: Pretrained, data: str) -> ScoreRow:
    """Of the features; beside it the random encoder, and the one that pre-training started from where it was frozen."""
    scores: dict[str, Estimate] = {}
    for one, (_, encoder) in zip(trained, pretrained.comparison.pairs, strict=True):
        found = [e["geometry"] for e in one.evaluations(data)]
        scores[one.name] = _rank([g["pre-trained"] for g in found], one.no_evaluation(data))
        frozen = [g["frozen encoder"] for g in found if "frozen encoder" in g]
        if frozen:  # the random members are then the same encoder under random adaptors
            scores.setdefault(name_of(AS_IS, encoder), _rank(frozen, ""))
        elif random := [v for g in found for k, v in g.items() if k.startswith("random initialisation")]:
            scores.setdefault(name_of(RANDOM, encoder), _rank(random, ""))
    return ScoreRow("effective rank", scores)


def _rank(geometries: Sequence[Mapping[str, float]], reason: str) -> Estimate:
    values = [geometry["effective_rank"] for geometry in geometries]
    return Estimate(fmean(values)) if values else Estimate(None, reason=_short(reason))


def _collapsed(trained: Sequence[Trained]) -> ScoreRow:
    scores: dict[str, Estimate] = {}
    for one in trained:
        rows = one.history
        if not any("val_collapsed" in row for row in rows):
            scores[one.name] = Estimate(None, reason=_short("not watched" if one.done else one.reason))
            continue
        epoch = first_collapse(rows)
        told = "no" if epoch is None else f"from epoch {epoch:.0f} on"
        scores[one.name] = Estimate(float(epoch is not None), reason=told)
    return ScoreRow("collapsed (1 = a seed did)", scores, number=_whole)


def _of(one: Trained, values: list[float], of: Summary) -> Estimate:
    if not values:
        return Estimate(None, reason=_short("too few steps" if one.done else one.reason))
    return Estimate(of(values))


def _mean(entries: Sequence[Mapping[str, Any]], seeds: int, reason: str) -> Estimate:
    """Mean over seeds; its interval has the mean of the seeds' bounds, which is not narrower than that of the mean."""
    if not entries:
        return Estimate(None, reason=_short(reason))
    value = fmean(entry["value"] for entry in entries)
    lo, hi = (
        fmean(entry[end] for entry in entries) if all(entry.get(end) is not None for entry in entries) else None
        for end in ("lo", "hi")
    )
    return Estimate(value, lo, hi, reason="" if len(entries) == seeds else f"{len(entries)} of {seeds} seeds")


def _in_order(row: ScoreRow, names: Sequence[str]) -> ScoreRow:
    """The same columns order in every line; what is only compared against has no costs."""
    trivial = row.trivial if row.trivial is None or np.isfinite(row.trivial) else None
    return replace(row, scores={name: row.scores[name] for name in names if name in row.scores}, trivial=trivial)


def _whole(value: float) -> str:
    """A number of things, without decimals."""
    return f"{value:,.0f}"


def _short(text: str, most: int = 70) -> str:
    return text if len(text) <= most else text[: most - 2] + " …"
