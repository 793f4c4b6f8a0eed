"""Our numbers in the layout of the published tables, beside the published values and where each was read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.table import Table

from scripts.errors import CxrError
from scripts.tasks.registry import TASKS

PUBLISHED = Path(__file__).with_name("published.csv")
FRACTIONS = (1, 10, 100)
THIS = "this data"
EMPTY = "–"
FLAGS = {
    "secondary": ("†", "read on a secondary page, not in the paper"),
    "recalled": ("‡", "recalled, not seen"),
    "inferred": ("*", "inferred from the protocol, not published"),
}
# What to know before a number of ours is put beside one of these.
PROTOCOLS = {
    "MGCA": (
        "frozen encoder, one seed, no interval. Dice per image counts a rightly empty mask as 1, so predicting nothing "
        "gives the all-empty row; SIIM was split by row of the table, and an image can be in training and test. mAP "
        "(IoU .40:.05:.75) skips images without a sure detection or without a target: ours stand there both ways."
    ),
    "MGCA linear": "frozen encoder, one linear layer; one seed, no interval.",
    "CheXclusion": "private 80/10/10 splits that cannot be had: not exactly reproducible; uncertain counts as 0.",
    "NIH fine-tuned": "official split, 14 findings, encoder fine-tuned; details differ from row to row.",
    "MedKLIP setting": "encoder fine-tuned; the same per-image Dice as MGCA's.",
    "BenchX": "fine-tuned classification, three seeds, id lists published; mDice is the mean of background and "
    "foreground (UperNet, frozen, 512 pixels), which is another number than Dice.",
    "Adaptor": "frozen encoders; the classification head is a perceptron with a hidden layer, not linear; Dice as "
    "MGCA's, and 73.1 (SIIM) and 76.5 (RSNA) are what predicting nothing gives.",
}


@dataclass(frozen=True)
class PaperTable:
    """One published table: lines of method, `1 / 10 / 100 %` of each benchmark, source."""

    title: str
    note: str
    benchmarks: Sequence[str]
    lines: Sequence[tuple[str, ...]]
    published: int  # of the lines; ours follow


def benchmarks() -> list[str]:
    """Names of the benchmarks that have published values."""
    return sorted(_published()["benchmark"].unique())


def paper_tables(frame: pd.DataFrame, benchmark: str | None = None) -> list[PaperTable]:
    """The published tables of the tasks that a sweep has run, with its rows below.

    Args:
        frame: of `aggregate`.
        benchmark: what the sweep's data set is; ours then stand in its column, and only tables that have it are given.
            None: none of them; ours stand in a column of their own.

    Raises:
        CxrError: there is no such benchmark.
    """
    published = _published()
    if benchmark is not None and benchmark not in benchmarks():
        raise CxrError(
            f"--paper {benchmark}: the benchmarks are {', '.join(benchmarks())}; without one, write --paper."
        )
    tables = []
    for (task, metric, protocol), group in published.groupby(["task", "metric", "protocol"], sort=False):
        if task not in set(frame["task"]) or (benchmark and benchmark not in set(group["benchmark"])):
            continue
        columns = list(dict.fromkeys(group["benchmark"]))
        lines = [_published_line(str(method), rows, columns) for method, rows in group.groupby("method", sort=False)]
        lines.sort(key=lambda line: line[0].endswith("*"))
        place = benchmark or THIS
        columns += [] if benchmark else [THIS]
        lines = [(*line[:-1], *([] if benchmark else [EMPTY]), line[-1]) for line in lines]
        own = _own_lines(frame, str(task), TASKS[str(task)].published[str(metric)], columns, place)
        title = f"{str(task).capitalize()}, {metric} (%), protocol {protocol}"
        tables.append(PaperTable(title, PROTOCOLS[str(protocol)], columns, [*lines, *own], len(lines)))
    return tables


def print_paper(tables: Sequence[PaperTable], console: Console) -> None:
    """Prints the tables, published lines first, ours in bold below a rule."""
    for one in tables:
        table = Table(
            title=one.title, title_justify="left", title_style="bold", caption=one.note, caption_justify="left"
        )
        table.add_column("method")
        for benchmark in one.benchmarks:
            table.add_column(f"{benchmark}\n1 / 10 / 100 %", justify="right")
        table.add_column("source")
        for place, line in enumerate(one.lines):
            table.add_row(
                *line,
                style="bold" if place >= one.published else None,
                end_section=place == one.published - 1,
            )
        console.print(table)
    console.print(_legend(), soft_wrap=True, highlight=False)


def paper_markdown(tables: Sequence[PaperTable]) -> str:
    """The same as Markdown."""
    parts = ["# Published values and ours\n"]
    for one in tables:
        head = ["method", *(f"{benchmark} 1 / 10 / 100 %" for benchmark in one.benchmarks), "source"]
        rows = [head, ["---", *["---:"] * len(one.benchmarks), "---"]]
        rows += [[f"**{line[0]}**", *line[1:]] if i >= one.published else [*line] for i, line in enumerate(one.lines)]
        body = "".join(f"| {' | '.join(row)} |\n" for row in rows)
        parts.append(f"## {one.title}\n\nWhat differs: {one.note}\n\n{body}")
    return "\n".join([*parts, _legend() + "\n"])


def _published() -> pd.DataFrame:
    return pd.read_csv(PUBLISHED, keep_default_na=False, dtype={"value": str})


def _published_line(method: str, rows: pd.DataFrame, columns: Sequence[str]) -> tuple[str, ...]:
    cells = []
    for benchmark in columns:
        here = rows[rows["benchmark"] == benchmark].set_index("fraction")
        texts = [
            here.loc[fraction, "value"] + FLAGS.get(here.loc[fraction, "flag"], ("", ""))[0]
            if fraction in here.index
            else EMPTY
            for fraction in FRACTIONS
        ]
        cells.append(" / ".join(texts) if len(here) else EMPTY)
    sources = "; ".join(dict.fromkeys(rows["source"]))
    inferred = (rows["flag"] == "inferred").all()
    return (f"{method} *" if inferred else method, *cells, sources)


def _own_lines(
    frame: pd.DataFrame, task: str, metrics: Mapping[str, str], columns: Sequence[str], place: str
) -> list[tuple[str, ...]]:
    """A line an initialisation and mode, and one for the all-empty masks of our own test images; never a guess."""
    means = frame[(frame["task"] == task) & (frame["kind"] == "mean")]
    others = frame[(frame["task"] == task) & (frame["kind"] == "other mean")]
    lines = []
    for (init, mode), _ in means.groupby(["init", "mode"], sort=False):
        of_init = others[(others["init"] == init) & (others["mode"] == mode)]
        for metric, suffix in metrics.items():
            found = of_init[of_init["metric"] == metric]
            lines.append(_own_line(f"ours: {init}, {mode}{suffix}", found, columns, place))
    if "dice_per_image" in metrics:
        empty = others[others["metric"] == "dice_all_empty"].drop_duplicates("fraction").assign(seed_sd=None)
        lines.append(_own_line("ours: all-empty masks", empty, columns, place))
    return lines


def _own_line(name: str, found: pd.DataFrame, columns: Sequence[str], place: str) -> tuple[str, ...]:
    value = found.set_index("fraction")["value"].to_dict()
    spread = found.set_index("fraction")["seed_sd"].to_dict()
    notes = found.set_index("fraction")["note"].to_dict()
    texts = []
    for fraction in FRACTIONS:
        if fraction not in value:
            texts.append(EMPTY)
            continue
        sd = spread[fraction]
        text = f"{100 * value[fraction]:.1f}" + (f" ± {100 * sd:.1f}" if sd is not None and sd == sd else "")
        texts.append(f"{text} ({notes[fraction]})" if notes[fraction] else text)
    cell = " / ".join(texts) if value else EMPTY
    return (name, *(cell if column == place else EMPTY for column in columns), "this sweep")


def _legend() -> str:
    marks = "; ".join(f"{mark} {text}" for mark, text in FLAGS.values())
    return f"Ours: mean ± standard deviation over seeds; {EMPTY} was not run, or not published. {marks}."
