"""Named scores beside the trivial level and the other methods: on the console, as CSV, as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..atomic import write_text_atomically
from ..errors import CxrError
from ..statistics.estimate import Estimate
from .csv_text import csv_text

Results = Mapping[str, Mapping[str, Any]]
RETRIEVAL = {
    "r_at_1": "R@1",
    "r_at_5": "R@5",
    "r_at_10": "R@10",
    "p_at_1": "P@1",
    "p_at_5": "P@5",
    "p_at_10": "P@10",
    "mrr": "mean reciprocal rank",
    "median_rank": "median rank",
}
# Scores whose hits have the query's finding, in another patient, and not its own report.
FINDING = {f"finding_{score}": f"{label} same finding" for score, label in RETRIEVAL.items()}
WAYS = {"image_to_report": "image→report", "report_to_image": "report→image"}
PAIRS = ("r_at_1", "r_at_5", "r_at_10", "median_rank", "finding_p_at_5", "finding_p_at_10")
IMAGES = ("r_at_1", "r_at_5", "r_at_10", "p_at_5", "p_at_10", "median_rank")
GEOMETRY = {
    "effective_rank": "effective rank",
    "uniformity": "uniformity",
    "mean_offdiag_correlation": "mean |correlation|",
    "feature_std": "feature std",
    "alignment": "alignment",
}


@dataclass(frozen=True)
class Score:
    """A number with its 95 % interval where there is one; `note` says why there is no number, or what it covers."""

    value: float | None
    lo: float | None = None
    hi: float | None = None
    note: str = ""

    @classmethod
    def of(cls, found: Estimate, note: str = "") -> Score:
        """Of an estimate; its reason stands behind the note."""
        return cls(found.value, found.lo, found.hi, "; ".join(part for part in (note, found.reason) if part))

    def __str__(self) -> str:
        if self.value is None:
            return f"not scored: {self.note}"
        return " ".join(part for part in self.texts() if part)

    def texts(self) -> tuple[str, str, str]:
        """The number, its interval in brackets, and the note; "" for what there is not."""
        value = "" if self.value is None else short_number(self.value)
        interval = "" if self.lo is None or self.hi is None else f"[{short_number(self.lo)}, {short_number(self.hi)}]"
        return value, interval, self.note


@dataclass(frozen=True)
class ScoreRow:
    """One named score of several methods; `trivial` is what needs no learning (chance, a constant answer)."""

    name: str
    scores: Mapping[str, Score]
    trivial: float | None = None


def probe_rows(results: Results, before: str = "") -> list[ScoreRow]:
    """Rows of `{method: ProbeResult.to_dict()}` on the same classes: AUROC of each class, then the macro average.

    `before` stands before each row's name, as "zero-shot ".
    """
    tables = {method: [*result["rows"], result["macro"]] for method, result in results.items()}
    rows = []
    for i, first in enumerate(next(iter(tables.values()))):
        cells = {m: Score(t[i]["auroc"], t[i]["lo"], t[i]["hi"], t[i]["reason"]) for m, t in tables.items()}
        positives = "" if first["name"] == "macro" else f" ({first['positives']} of {first['n']})"
        rows.append(ScoreRow(f"{before}AUROC {first['name']}{positives}", cells, trivial=0.5))
    return rows


def retrieval_rows(results: Results, scores: Sequence[str] = PAIRS) -> list[ScoreRow]:
    """Rows of `{method: retrieval(...)}` on the same pairs, in both directions, beside exact chance."""
    return [
        row
        for way, label in WAYS.items()
        for row in _ranked_rows({method: result[way] for method, result in results.items()}, scores, label)
    ]


def image_retrieval_rows(
    results: Results, scores: Sequence[str] = IMAGES, label: str = "image→image"
) -> list[ScoreRow]:
    """Rows of `{method: label_retrieval(...)}` of images among images, or the reason why there are none."""
    label = f"same finding {label}"
    reasons = {method: Score(None, note=result["reason"]) for method, result in results.items() if "reason" in result}
    return [ScoreRow(label, reasons)] if reasons else _ranked_rows(results, scores, label)


def shared_space_rows(member: str, reason: str) -> list[ScoreRow]:
    """What stands where a method without a shared space has no zero-shot classification and no retrieval."""
    return [
        ScoreRow(name, {member: Score(None, note=reason)})
        for name in ("zero-shot AUROC macro", *(f"retrieval {way}" for way in WAYS.values()))
    ]


def _ranked_rows(results: Results, scores: Sequence[str], label: str) -> list[ScoreRow]:
    rows = []
    for score in scores:
        found = {method: result[score] for method, result in results.items() if score in result}
        cells = {
            method: Score(cell["value"], cell.get("lo"), cell.get("hi"), cell.get("reason", ""))
            for method, cell in found.items()
        }
        if found:
            name = (RETRIEVAL | FINDING).get(score, score)
            rows.append(ScoreRow(f"{name} {label}", cells, trivial=next(iter(found.values()))["chance"]))
    return rows


def geometry_rows(results: Mapping[str, Mapping[str, float]]) -> list[ScoreRow]:
    """Rows of `{method: latent_geometry(...)}`; they have no trivial level."""
    return [
        ScoreRow(label, {method: Score(result[name]) for method, result in results.items() if name in result})
        for name, label in GEOMETRY.items()
        if any(name in result for result in results.values())
    ]


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
                "note": s.note,
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
    cells = [str(row.scores[method]) if method in row.scores else "–" for method in methods]
    return [row.name, "–" if row.trivial is None else short_number(row.trivial), *cells]


def short_number(value: float) -> str:
    """Three decimals below 10, one above."""
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"
