"""The arguments of a comparison, and the stage of pre-training that they put before the tasks."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console

from scripts.engine.overrides import check_values, is_overridable, read_files
from scripts.errors import CxrError
from scripts.tasks.registry import TASKS

from ..digest import digest, table_of
from ..plan import Cell, Init, Scoped, read_configs, read_settings
from ..record import Record
from ..runner import Tracked
from ..worker import Work
from .plan import CONFIGS, PRETRAINING, Comparison, PretrainingCell, read_budget, read_pairs
from .pretrain import Pretrained, Probe, pretrain
from .report import report_comparison
from .starts import starts
from .work import EvaluationRunner, PretrainingRunner


def add_comparison_arguments(parser: ArgumentParser) -> None:
    """Arguments of the verb that only a comparison has."""
    add = parser.add_argument
    add(
        "--methods", type=_list, default=[], metavar="M,M",
        help="pre-training methods to compare first: mflag, or the name of an overlay in configs; METHOD:ENCODER with "
        "one encoder alone",
    )  # fmt: skip
    add(
        "--encoders", type=_list, default=[], metavar="E,E",
        help="of the methods: resnet18, a transformers folder, or NAME=FOLDER",
    )  # fmt: skip
    add(
        "--probe-data", default=None, metavar="DATA",
        help="data set of the tasks and of zero-shot classification, where it is another than that of pre-training",
    )  # fmt: skip


class Stage:
    """Pre-training before the tasks, as the arguments of the verb ask for it.

    Args:
        args: of the verb.
        out: output folder.

    Attributes:
        scopes: names by which a setting may mean this stage, a method or an encoder.
        probe: the data set of the tasks.
        comparison: what is pre-trained.

    Raises:
        CxrError: for methods, encoders, settings or a budget that cannot be compared.
    """

    def __init__(self, args: Namespace, out: Path) -> None:
        pairs = read_pairs(args.methods, args.encoders)
        self.args, self.out = args, out
        self.probe: str = _other(args.probe_data, args.data) or args.data
        if args.folds and self.probe == args.data:
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

    def check(self) -> None:
        """Looks at one pre-training of each method and encoder.

        Raises:
            CxrError: an id that the method's configuration does not have.
        """
        for cell in self.comparison.cells()[: len(self.comparison.pairs)]:
            _check(cell)

    def for_tasks(self, given: Sequence[Scoped]) -> list[Scoped]:
        """The settings of the tasks; their images are as large as those of pre-training unless one says otherwise."""
        return [one for one in given if PRETRAINING not in one.scopes]

    def inits(self) -> list[Init]:
        """What the tasks start from."""
        found = starts(self.comparison) if self._pretrained is None else self._pretrained.inits()
        size = {"image_size": self.comparison.budget["image_size"]}
        given = {setting.value[0] for setting in self._settings if PRETRAINING not in setting.scopes}
        return found if "image_size" in given else [replace(one, overrides=size | dict(one.overrides)) for one in found]

    def beside(self, given: Sequence[Init]) -> list[Init]:
        """Initialisations of `--init`, each compared with the random one of its encoder.

        Raises:
            CxrError: one does not say which encoder it is.
        """
        bases = {str(init.overrides["encoder"]): init.name for init in self.inits() if init.base == init.name}
        for init in given:
            if init.overrides.get("encoder") not in bases:
                raise CxrError(
                    f"--init {init.name}: say which of --encoders it is, such as "
                    f"{init.name}={init.weights},encoder={next(iter(bases))}."
                )
        return [replace(init, base=bases[str(init.overrides["encoder"])]) for init in given]

    def digests(self) -> dict[str, str]:
        """Of the weights that were made."""
        return {} if self._pretrained is None else self._pretrained.digests()

    def run(self, devices: Sequence[str], tracked: Tracked, work: Work | None, console: Console) -> None:
        """Pre-trains and evaluates what has not ended well yet.

        Args:
            devices: see `run_on`.
            tracked: the parent run.
            work: in place of MONAI's workflows, for a test.
            console: to print on.
        """
        own = (PretrainingRunner(tracked, self.out / "features"), EvaluationRunner(tracked))
        works = own if work is None else (work, work)
        self._pretrained = pretrain(self.comparison, self._probes(), devices, works, console)

    @property
    def ended(self) -> Mapping[Any, Record]:
        """How the pre-trainings and evaluations have ended."""
        assert self._pretrained is not None
        return {**self._pretrained.ended, **self._pretrained.evaluated}

    def without_weights(self, cells: Sequence[Cell]) -> dict[Cell, Record]:
        """Cells of the tasks whose pre-training has made no weights."""
        assert self._pretrained is not None
        return self._pretrained.without_weights(cells)

    def report(self, frame: pd.DataFrame, console: Console) -> list[Path]:
        """Writes and prints the comparison; gives the files."""
        assert self._pretrained is not None
        return report_comparison(self._pretrained, frame, self.args.data, self.probe, self.out, console)

    def _probes(self) -> list[Probe]:
        """The data set of pre-training, for retrieval; and that of the tasks, for zero-shot on their findings."""
        findings = self._findings()
        if self.probe == self.args.data:
            return [Probe(self.probe, {"protocol": "split"} | findings, digest(table_of(self.probe)))]
        # Pre-training has seen none of these images.
        other = Probe(self.probe, {"protocol": "5-fold"} | findings, digest(table_of(self.probe)))
        return [Probe(self.args.data, {"protocol": "split"}, digest(table_of(self.args.data))), other]

    def _findings(self) -> dict[str, Any]:
        """`labels` as a task learns them that zero-shot answers too, where one is asked for."""
        for task in self.args.tasks:
            if TASKS[task].zero_shot:
                plain = json.loads((CONFIGS / task / "train.json").read_text(encoding="utf-8"))
                given = dict(one.value for one in self._settings if one.holds(task))
                return {"labels": given.get("names", plain["names"])}
        return {}


def read_stage(args: Namespace, out: Path) -> Stage | None:
    """The stage that the arguments ask for; None without `--methods`.

    Raises:
        CxrError: see `Stage`; or an argument that only a comparison has.
    """
    if args.methods:
        return Stage(args, out)
    if args.encoders or args.probe_data:
        raise CxrError("--encoders and --probe-data belong to a comparison: name its --methods, such as mflag,convirt.")
    return None


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


def _list(text: str) -> list[str]:
    return list(dict.fromkeys(part for part in text.split(",") if part))
