"""What a sweep is made of, from its arguments to its report; a comparison puts its pre-trainings before it."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console

from scripts.atomic import write_text_atomically
from scripts.errors import CxrError
from scripts.tables.csv_text import csv_text
from scripts.tables.scores import print_scores, write_scores

from ..jobs.digest import digest, table_of
from ..jobs.record import Record, read_record
from ..jobs.runner import Tracked
from ..jobs.workers import Work
from .checks import check_plan
from .figure import plot_sweep
from .plan import RANDOM, Cell, Init, Plan, Scoped, read_configs, read_settings
from .table import LEGEND, sweep_notes, sweep_rows


class Study:
    """A sweep over the tasks of one data set.

    Args:
        args: of the verb (`bundle.sweep.add_arguments`).

    Attributes:
        begun: how what comes before the cells has ended.
        scopes: names by which a setting may mean something else than a task, a mode, an initialisation or a fraction.
    """

    begun: Mapping[Any, Record] = {}
    scopes: Sequence[str] = ()

    def __init__(self, args: Namespace) -> None:
        self.args, self.out = args, Path(args.out)
        for source in {args.data, self.data}:
            if not Path(source).exists():
                raise CxrError(f"no data set at {source}.")

    @property
    def data(self) -> str:
        """The data set of the tasks."""
        return str(self.args.data)

    @cached_property
    def plan(self) -> Plan:
        """The cells of the tasks."""
        args = self.args
        given = [Init.read(text) for text in args.init]
        if len({init.name for init in given}) < len(given):
            raise CxrError("two --init have the same name.")
        inits = {init.name: init for init in self.inits(given)}
        known = [*args.tasks, *args.modes, *inits, *self.scopes, *(f"{fraction}%" for fraction in args.fractions)]
        made_from = {init.weights: digest(Path(init.weights)) for init in inits.values() if init.weights}
        return Plan(
            self.data, self.out, args.tasks, list(inits.values()), args.modes, args.fractions, args.seeds, args.folds,
            self.for_tasks(read_settings(args.set, known)), self.for_tasks(read_configs(args.config, known)),
            made_from | self.digests() | {"data": digest(table_of(self.data))},
        )  # fmt: skip

    def inits(self, given: Sequence[Init]) -> list[Init]:
        """What the tasks start from, those of `--init` among them."""
        return [Init(RANDOM), *given]

    def for_tasks(self, given: Sequence[Scoped]) -> list[Scoped]:
        """The settings that are for the tasks."""
        return list(given)

    def digests(self) -> dict[str, str]:
        """Of weights that the study has made itself."""
        return {}

    def check(self) -> None:
        """Looks at the configurations before anything runs.

        Raises:
            CxrError: an id or a file that is not there.
        """
        check_plan(self.plan)

    def look(self) -> None:
        """Reads what is in the output folder already.

        Raises:
            CxrError: it was made with other settings.
        """
        self.ended(self.plan.cells())

    def begin(self, devices: Sequence[str], tracked: Tracked, work: Work | None, console: Console) -> None:
        """What comes before the cells: nothing."""

    def ended(self, cells: Sequence[Cell]) -> dict[Cell, Record]:
        """How cells have ended, those that have."""
        return {cell: record for cell in cells if (record := read_record(cell)) is not None}

    def report(self, frame: pd.DataFrame, console: Console) -> list[Path]:
        """Writes and prints what the sweep has found; gives the files."""
        out = self.out
        write_text_atomically(csv_text(frame), out / "sweep.csv")
        rows, notes = sweep_rows(frame), sweep_notes(frame)
        print_scores(rows, "Label efficiency", console)
        for line in (LEGEND, *notes):
            console.print(line, soft_wrap=True, highlight=False)
        markdown = write_scores(rows, out / "sweep.md")
        text = markdown.read_text(encoding="utf-8") + "\n" + "\n".join([LEGEND, "", *(f"- {note}" for note in notes)])
        write_text_atomically(text + "\n", markdown)
        return [out / "sweep.csv", markdown, plot_sweep(frame, out / "sweep.png")]
