"""The sweep as one table for people: a line a task, mode and fraction, a column an initialisation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from scripts.statistics.estimate import Estimate
from scripts.tables.scores import ScoreRow

LEGEND = (
    "Mean over seeds [95 % interval over patients]; Δ is the paired difference on the same draws to random, or in a "
    "comparison to what a method started from, with its p-value, which is not corrected for their number."
)


def sweep_rows(frame: pd.DataFrame) -> list[ScoreRow]:
    """The table's lines, from `aggregate`'s frame."""
    means = frame[frame["kind"] == "mean"]
    rows = []
    for (task, mode, fraction), group in means.groupby(["task", "mode", "fraction"], sort=False):
        images = group["train_images"].max()
        count = "" if math.isnan(images) else f" ({images:g} images)"
        name = f"{task} {group['metric'].iloc[0]}, {mode}, {fraction} %{count}"
        scores = {row["init"]: _score(row) for row in group.to_dict("records")}
        trivial = group["trivial"].dropna()
        rows.append(ScoreRow(name, scores, trivial=float(trivial.iloc[0]) if len(trivial) else None))
    return sorted(rows, key=lambda row: _place(row.name, frame))


def sweep_notes(frame: pd.DataFrame) -> list[str]:
    """What a reader has to know of the numbers: small training parts, names that are not scored, cells that failed."""
    notes: dict[str, list[str]] = {}
    for row in frame[(frame["kind"] == "mean") & (frame["note"] != "")].to_dict("records"):
        notes.setdefault(f"{row['task']}, {row['fraction']} %: {row['note']}", []).append(
            f"{row['init']} {row['mode']}"
        )
    return [f"{note} ({_some(who)})" for note, who in notes.items()]


def _score(row: dict[Any, Any]) -> Estimate:
    if _missing(row["value"]):
        return Estimate(None, reason=_shortened(row["note"]) or "nothing to score")
    interval = [None if _missing(row[end]) else float(row[end]) for end in ("lo", "hi")]
    note = ""
    if not _missing(row["difference"]):
        note = f"Δ {row['difference']:+.3f}" + ("" if _missing(row["p"]) else f" p={row['p']:.3f}")
    return Estimate(float(row["value"]), interval[0], interval[1], reason=note)


def _place(name: str, frame: pd.DataFrame) -> tuple[int, int, float]:
    """Tasks and modes in the order in which they were asked for, fractions rising."""
    tasks, modes = (list(dict.fromkeys(frame[column])) for column in ("task", "mode"))
    head, mode, fraction = name.rsplit(", ", 2)
    return tasks.index(head.split(" ", 1)[0]), modes.index(mode), float(fraction.split(" ", 1)[0])


def _shortened(text: str, most: int = 70) -> str:
    return text if len(text) <= most else text[: most - 2] + " …"


def _missing(value: Any) -> bool:
    return value is None or math.isnan(value)


def _some(names: Sequence[str], most: int = 4) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
