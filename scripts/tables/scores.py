"""Named scores beside the trivial level and the other methods: on the console, as CSV, as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..atomic import write_text_atomically
from ..errors import CxrError
from ..statistics.estimate import Estimate
from .csv_text import csv_text

THIS_RUN = "this run"


def short_number(value: float) -> str:
    """Three decimals below 10, one above."""
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"


def score_texts(found: Estimate, number: Callable[[float], str] = short_number) -> tuple[str, str, str]:
    """The number, its interval in brackets, and the reason; "" for what there is not."""
    value = "" if found.value is None else number(found.value)
    interval = "" if found.lo is None or found.hi is None else f"[{number(found.lo)}, {number(found.hi)}]"
    return value, interval, found.reason


def score_text(found: Estimate, number: Callable[[float], str] = short_number) -> str:
    """The same as one text."""
    if found.value is None:
        return f"not scored: {found.reason}"
    return " ".join(part for part in score_texts(found, number) if part)


@dataclass(frozen=True)
class ScoreRow:
    """One named score of several methods.

    Attributes:
        name: of the score.
        scores: by method; a reason stands behind the value, or in its place.
        trivial: what needs no learning (chance, a constant answer).
        number: how a value is written.
    """

    name: str
    scores: Mapping[str, Estimate]
    trivial: float | None = None
    number: Callable[[float], str] = short_number

    def texts(self, method: str) -> tuple[str, str, str]:
        """A method's number, its interval in brackets, and the reason; "" for what there is not."""
        return score_texts(self.scores[method], self.number)

    def cell(self, method: str) -> str:
        """The same as one text; "–" where the method has no such score."""
        return score_text(self.scores[method], self.number) if method in self.scores else "–"

    @property
    def level(self) -> str:
        """The trivial level as text."""
        return "–" if self.trivial is None else self.number(self.trivial)


def run_row(name: str, found: Estimate) -> ScoreRow:
    """A row of one run alone, beside its trivial level."""
    return ScoreRow(name, {THIS_RUN: found}, found.trivial)


def print_scores(rows: Sequence[ScoreRow], title: str, console: Console | None = None) -> None:
    """Print one line a score: its name, the trivial level, each method with its interval."""
    console = console or Console()
    if not console.is_terminal:
        console.width = max(console.width, 140)  # a log file has no edge to wrap at
    table = Table(title=Text(title), title_justify="left", title_style="bold")
    table.add_column("score")
    for name in ("trivial", *_methods(rows)):
        table.add_column(Text(name), justify="right")
    for row in rows:
        # As `Text`, for rich takes `[x]` in a string for markup.
        table.add_row(*map(Text, _texts(row, _methods(rows))), style="bold" if "macro" in row.name else None)
    console.print(table)


def scores_frame(rows: Sequence[ScoreRow]) -> pd.DataFrame:
    """One line a (score, method): `score, method, value, lo, hi, trivial, note`, unrounded."""
    return pd.DataFrame(
        [
            {
                "score": row.name,
                "method": m,
                "value": s.value,
                "lo": s.lo,
                "hi": s.hi,
                "trivial": row.trivial,
                "note": s.reason,
            }
            for row in rows
            for m, s in row.scores.items()
        ],
        columns=["score", "method", "value", "lo", "hi", "trivial", "note"],
    )


def write_scores(rows: Sequence[ScoreRow], path: str | Path) -> Path:
    """Write the scores as `.csv` (long, unrounded) or `.md` (the table as printed)."""
    path = Path(path)
    if path.suffix == ".csv":
        text = csv_text(scores_frame(rows))
    elif path.suffix == ".md":
        text = markdown(rows)
    else:
        raise CxrError(f"Scores can be written as .csv or .md, not as {path.name}.")
    write_text_atomically(text, path)
    return path


def markdown(rows: Sequence[ScoreRow]) -> str:
    """The table as printed, in Markdown."""
    head = ["score", "trivial", *_methods(rows)]
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *(_texts(row, _methods(rows)) for row in rows)]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def _methods(rows: Sequence[ScoreRow]) -> list[str]:
    return list(dict.fromkeys(method for row in rows for method in row.scores))


def _texts(row: ScoreRow, methods: Sequence[str]) -> list[str]:
    return [row.name, row.level, *map(row.cell, methods)]
