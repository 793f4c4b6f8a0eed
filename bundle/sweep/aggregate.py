"""From the cells' predictions to one row a setting: mean over seeds, patient-wise interval, difference to random."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from scripts.statistics.draws import Draws, Floats
from scripts.statistics.estimate import estimate, estimate_difference, mean_over_classes
from scripts.tasks.registry import TASKS
from scripts.tasks.scored_images import split_table
from scripts.tasks.task import Task

from ..jobs.record import Record
from .plan import RANDOM, Cell

Ended = Mapping[Cell, Record]
FEW = 20


@dataclass
class Row:
    """One line of the sweep's CSV; `kind` is `cell`, `mean` (of the headline over seeds) or `other mean`."""

    kind: str
    task: str
    mode: str
    fraction: int
    init: str
    metric: str
    value: float | None = None
    lo: float | None = None
    hi: float | None = None
    seed_sd: float | None = None
    difference: float | None = None
    difference_lo: float | None = None
    difference_hi: float | None = None
    p: float | None = None
    trivial: float | None = None
    seeds: int | None = None
    seed: int | None = None
    fold: int | None = None
    test_images: int | None = None
    test_patients: int | None = None
    train_images: float | None = None
    train_patients: float | None = None
    names: str = ""
    status: str = ""
    note: str = ""
    seconds: float | None = None
    folder: str = ""


@dataclass
class _Group:
    """All seeds and folds of a setting, scored on the same draws."""

    row: Row
    images: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    drawn: Floats = field(default_factory=lambda: np.empty(0))  # [C, 1 + B] mean over seeds, of each name


def aggregate(
    cells: Sequence[Cell], ended: Ended, resamples: int = 1000, bases: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """Rows of `Row` for every cell and every setting (task, mode, fraction, initialisation) of a sweep.

    The images of all folds of a seed are pooled, each with the score of the one network that had not seen its patient.
    How scores of different folds become comparable, the task knows (`Task.pool`).

    A draw draws patients, and the same patients for every initialisation and seed. The interval is of the mean over
    seeds under these draws; the spread over seeds is told apart from it, as a standard deviation. p-values are not
    corrected for their number.

    Args:
        cells: of the plan.
        ended: how they ended, those that have.
        resamples: draws of the bootstrap.
        bases: initialisation that each is compared with; `random` for those that it does not name.
    """
    settings: dict[tuple[str, str, int, str], list[Cell]] = defaultdict(list)
    for cell in cells:
        settings[cell.task, cell.mode, cell.fraction, cell.init].append(cell)
    groups = {key: _group(key, members, ended, resamples) for key, members in settings.items()}
    for (task, mode, fraction, init), group in groups.items():
        against = (bases or {}).get(init, RANDOM)
        base = groups.get((task, mode, fraction, against))
        if init != against and base is not None:
            _compare(group, base, against)
    rows = [_cell_row(cell, ended.get(cell)) for cell in cells]
    for key, group in groups.items():
        rows += [group.row, *_other_means(key, settings[key], ended)]
    return pd.DataFrame([asdict(row) for row in rows])


def _cell_row(cell: Cell, record: Record | None) -> Row:
    record = record or Record("died", "not run yet")
    return Row(
        "cell", cell.task, cell.mode, cell.fraction, cell.init, TASKS[cell.task].headline,
        value=record.value,
        seed=cell.seed,
        fold=cell.fold,
        train_images=record.training.get("images"),
        train_patients=record.training.get("patients"),
        names=", ".join(record.names),
        status="open" if record.reason == "not run yet" else record.status,
        note="" if record.status == "done" else record.reason,
        seconds=record.seconds or None,
        folder=str(cell.folder),
    )  # fmt: skip


def _group(key: tuple[str, str, int, str], cells: Sequence[Cell], ended: Ended, resamples: int) -> _Group:
    name, mode, fraction, init = key
    task = TASKS[name]
    row = Row("mean", name, mode, fraction, init, task.headline)
    group = _Group(row)
    by_seed: dict[int, list[Cell]] = defaultdict(list)
    for cell in cells:
        by_seed[cell.seed].append(cell)
    # A seed with a fold missing would be scored on other images than the rest.
    whole = {
        seed: folds
        for seed, folds in by_seed.items()
        if all(cell in ended and ended[cell].status == "done" for cell in folds)
    }
    row.seeds = len(whole)
    row.note = _training_note(row, [ended[cell] for cell in cells if cell in ended and ended[cell].training])
    if not whole:
        reasons = {ended[cell].reason for cell in cells if cell in ended} or {"not run yet"}
        row.note = "; ".join(filter(None, [row.note, *sorted(reasons)]))
        return group
    if len(whole) < len(by_seed):
        row.note = "; ".join(filter(None, [row.note, f"{len(whole)} of {len(by_seed)} seeds"]))
    done = {cell: ended[cell] for folds in whole.values() for cell in folds}
    names = next(iter(done.values())).names
    tables = [_pooled(task, folds, names) for folds in whole.values()]
    first = tables[0]
    group.names, left_out = _scored_names(task, first, names, done)
    row.note = "; ".join(filter(None, [row.note, left_out]))
    row.names = ", ".join(group.names)
    row.test_images, row.test_patients = len(first), int(first["patient"].nunique())
    if not group.names:
        return group
    group.images = tuple(first["image_id"])
    draws = Draws.of(first["patient"].to_numpy(), resamples)
    seeds = np.stack([task.class_scores(table, names, draws, group.names) for table in tables])
    group.drawn = seeds.mean(axis=0)
    constant = _pooled(task, next(iter(whole.values())), names, trivial=True)
    level = mean_over_classes(task.class_scores(constant, names, draws.as_they_are(), group.names))[0]
    found = estimate(group.drawn, level)
    row.value, row.lo, row.hi, row.trivial = found.value, found.lo, found.hi, found.trivial
    row.note = "; ".join(filter(None, [row.note, found.reason]))
    row.seed_sd = float(seeds[:, :, 0].mean(axis=1).std(ddof=1)) if len(seeds) > 1 else None
    return group


def _training_note(row: Row, records: Sequence[Record]) -> str:
    """Fills in the size of the training part, which folds may differ in by an image, and says when it is small."""
    if not records:
        return ""
    row.train_images = round(float(np.mean([record.training["images"] for record in records])), 1)
    row.train_patients = round(float(np.mean([record.training["patients"] for record in records])), 1)
    fewest = min(record.training["images"] for record in records)
    return f"only {fewest} training image{'s' * (fewest != 1)}" if fewest < FEW else ""


def _pooled(task: Task, cells: Sequence[Cell], names: Sequence[str], trivial: bool = False) -> pd.DataFrame:
    """Scored images of a seed's folds, ordered by image; a patient is told apart by fold and code."""
    tables = []
    for cell in cells:
        table = pd.read_parquet(cell.folder / "evaluation" / "predictions.parquet")
        table = task.trivial_answer(table, names) if trivial else split_table(table).scored
        tables.append(table.assign(patient=[f"{cell.fold}/{code}" for code in table["patient"]]))
    return task.pool(tables, names)


def _scored_names(task: Task, table: pd.DataFrame, names: Sequence[str], done: Ended) -> tuple[tuple[str, ...], str]:
    """What the number is the mean over, and a note on the names that are left out, each with the reason."""
    reasons = {name: f"{reason} among the test images" for name, reason in task.unscored(table, names).items()}
    for name in names:
        lacking = [cell for cell, record in done.items() if not record.training["positives"].get(name)]
        if lacking:
            where = "" if lacking[0].fold is None else f" of fold {lacking[0].fold}"
            reasons[name] = f"no positive among the training images{where}"
    note = "; ".join(f"{name} not scored: {reason}" for name, reason in reasons.items())
    return tuple(name for name in names if name not in reasons), note


def _compare(group: _Group, base: _Group, against: str) -> None:
    """The paired difference to another initialisation, where both were scored on the same images and names."""
    if not group.images or not base.images:
        return
    if group.images != base.images or group.names != base.names:
        group.row.note = "; ".join(filter(None, [group.row.note, f"scored on other images or names than {against}"]))
        return
    found = estimate_difference(base.drawn, group.drawn)
    group.row.difference = found.value
    group.row.difference_lo, group.row.difference_hi, group.row.p = found.lo, found.hi, found.p


def _other_means(key: tuple[str, str, int, str], cells: Sequence[Cell], ended: Ended) -> list[Row]:
    """The evaluations' further metrics, averaged over seeds and folds; without an interval."""
    task, mode, fraction, init = key
    done = {cell: ended[cell] for cell in cells if cell in ended and ended[cell].status == "done"}
    rows = []
    for metric in dict.fromkeys(name for record in done.values() for name in record.metrics):
        found: dict[Cell, Any] = {cell: record.metrics.get(metric, np.nan) for cell, record in done.items()}
        values = {cell: value for cell, value in found.items() if np.isfinite(value)}
        if not values:
            continue
        row = Row("other mean", task, mode, fraction, init, metric, float(np.mean(list(values.values()))))
        row.seed_sd = float(np.std(list(values.values()), ddof=1)) if len(values) > 1 else None
        row.seeds = len({cell.seed for cell in values})
        if missing := len(found) - len(values):
            row.note = f"no value in {missing} of {len(found)} cells"
        rows.append(row)
    return rows
