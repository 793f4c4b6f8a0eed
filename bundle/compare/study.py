"""What a comparison is made of: pre-trainings, then a sweep that starts from them."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console

from scripts.engine.overrides import check_values, is_overridable, read_files
from scripts.errors import CxrError
from scripts.tasks.registry import TASKS

from ..jobs.digest import digest, table_of
from ..jobs.record import Record
from ..jobs.runner import Tracked
from ..jobs.workers import Work
from ..sweep.plan import Cell, Init, Scoped, read_configs, read_settings
from ..sweep.study import Study
from .plan import CONFIGS, PRETRAINING, Comparison, PretrainingCell, read_budget, read_pairs
from .pretrain import Pretrained, Probe, pretrain
from .report import report_comparison
from .starts import starts
from .work import EvaluationRunner, PretrainingRunner


class ComparisonStudy(Study):
    """A sweep that begins with the pre-trainings it compares, each evaluated.

    Args:
        args: of the verb (`bundle.compare.add_arguments`).

    Attributes:
        comparison: what is pre-trained.

    Raises:
        CxrError: for methods, encoders, settings or a budget that cannot be compared.
    """

    def __init__(self, args: Namespace) -> None:
        super().__init__(args)
        out = self.out
        pairs = read_pairs(args.methods, args.encoders)
        if args.folds and self.data == args.data:
            raise CxrError(
                "--folds tests every patient of DATA, and pre-training has seen most of them: name another set, "
                "--probe-data OTHER, or leave --folds out."
            )
        self.scopes = [PRETRAINING, *dict.fromkeys(name for method, one in pairs for name in (method, one.name))]
        plain = Comparison(args.data, out, pairs, args.seeds, {})
        known = [*args.tasks, *args.modes, *self.scopes, *(init.name for init in starts(plain))]
        known += [f"{fraction}%" for fraction in args.fractions] + [text.partition("=")[0] for text in args.init]
        self._settings, configs = read_settings(args.set, known), read_configs(args.config, known)
        own = [setting for setting in self._settings if PRETRAINING in setting.scopes]
        plain = replace(plain, budget=read_budget(own), settings=own)
        used = {plain.start_of(method, encoder) for method, encoder in pairs} - {""}
        self.comparison = replace(
            plain,
            configs=[config for config in configs if PRETRAINING in config.scopes],
            made_from={weights: digest(Path(weights)) for weights in used} | {"data": digest(table_of(args.data))},
        )
        self._pretrained: Pretrained | None = None

    @cached_property
    def data(self) -> str:  # type: ignore[override]
        """The data set of the tasks: `--probe-data`, else that of pre-training."""
        return _other(self.args.probe_data, self.args.data) or str(self.args.data)

    def check(self) -> None:
        """Also looks at the pre-trainings."""
        super().check()
        self.check_methods()

    def check_methods(self) -> None:
        """Looks at one pre-training of each method and encoder.

        Raises:
            CxrError: an id that the method's configuration does not have.
        """
        for cell in self.comparison.cells()[: len(self.comparison.pairs)]:
            _check(cell)

    def for_tasks(self, given: Sequence[Scoped]) -> list[Scoped]:
        """Those that are not for pre-training."""
        return [one for one in given if PRETRAINING not in one.scopes]

    def inits(self, given: Sequence[Init]) -> list[Init]:
        """What was pre-trained and where it started from, and `--init`, each beside the random one of its encoder.

        Raises:
            CxrError: one of `--init` does not say which encoder it is.
        """
        found = starts(self.comparison) if self._pretrained is None else self._pretrained.inits()
        size = {"image_size": self.comparison.budget["image_size"]}
        if "image_size" not in {setting.value[0] for setting in self.for_tasks(self._settings)}:
            found = [replace(one, overrides=size | dict(one.overrides)) for one in found]
        bases = {str(init.overrides["encoder"]): init.name for init in found if init.base == init.name}
        for init in given:
            if init.overrides.get("encoder") not in bases:
                raise CxrError(
                    f"--init {init.name}: say which of --encoders it is, such as "
                    f"{init.name}={init.weights},encoder={next(iter(bases))}."
                )
        return [*found, *(replace(init, base=bases[str(init.overrides["encoder"])]) for init in given)]

    def digests(self) -> dict[str, str]:
        """Of the weights that were made."""
        return {} if self._pretrained is None else self._pretrained.digests()

    def look(self) -> None:
        """Nothing: what the cells are made from is known when the pre-trainings have ended."""

    def begin(self, devices: Sequence[str], tracked: Tracked, work: Work | None, console: Console) -> None:
        """Pre-trains and evaluates what has not ended well yet; the tasks then start from that."""
        own = (PretrainingRunner(tracked, self.out / "features"), EvaluationRunner(tracked))
        works = own if work is None else (work, work)
        self._pretrained = pretrain(self.comparison, self._probes(), devices, works, console)
        self.begun = {**self._pretrained.ended, **self._pretrained.evaluated}
        del self.plan  # made anew, of the weights that there are now

    def ended(self, cells: Sequence[Cell]) -> dict[Cell, Record]:
        """Also those whose pre-training has made no weights."""
        assert self._pretrained is not None
        lacking = self._pretrained.without_weights(cells)
        return lacking | super().ended([cell for cell in cells if cell not in lacking])

    def report(self, frame: pd.DataFrame, console: Console) -> list[Path]:
        """Also the comparison."""
        assert self._pretrained is not None
        files = super().report(frame, console)
        return files + report_comparison(self._pretrained, frame, self.args.data, self.data, self.out, console)

    def _probes(self) -> list[Probe]:
        """The data set of pre-training, for retrieval; and that of the tasks, for zero-shot on their findings."""
        findings = self._findings()
        if self.data == self.args.data:
            return [Probe(self.data, {"protocol": "split"} | findings, digest(table_of(self.data)))]
        # Pre-training has seen none of these images.
        other = Probe(self.data, {"protocol": "5-fold"} | findings, digest(table_of(self.data)))
        return [Probe(self.args.data, {"protocol": "split"}, digest(table_of(self.args.data))), other]

    def _findings(self) -> dict[str, Any]:
        """`labels` as a task learns them that zero-shot answers too, where one is asked for."""
        for task in self.args.tasks:
            if TASKS[task].zero_shot:
                plain = json.loads((CONFIGS / task / "train.json").read_text(encoding="utf-8"))
                given = dict(one.value for one in self._settings if one.holds(task))
                return {"labels": given.get("names", plain["names"])}
        return {}


def _other(probe: str | None, data: str) -> str | None:
    """`probe` where it is another data set than `data`, however its path is written, and not a copy of its table."""
    if not probe or Path(probe).resolve() == Path(data).resolve():
        return None
    return None if Path(probe).exists() and digest(table_of(probe)) == digest(table_of(data)) else probe


def _check(cell: PretrainingCell) -> None:
    config = read_files([str(CONFIGS / "train.json"), *cell.configs])
    for name in cell.overrides:
        if not is_overridable(config, name):
            raise CxrError(
                f"--set {PRETRAINING}:{name}: the configuration of {cell.method} with {cell.encoder} has no such id. "
                f"Set it for the methods that do: --set {PRETRAINING}:METHOD:{name}=…."
            )
    check_values(cell.overrides, config, f"--set {PRETRAINING}:")
