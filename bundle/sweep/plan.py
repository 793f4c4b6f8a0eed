"""Which cells a sweep has, and what each of them overrides in its task's configuration."""

from __future__ import annotations

import ast
import itertools
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scripts.errors import CxrError
from scripts.names import is_folder_name
from scripts.tasks.registry import TASKS

MODES = ("frozen", "tuned")
FRACTIONS = (1, 10, 100)
RANDOM = "random"
FOLDS = 5
# Ids that tell cells apart or say where they go.
OWN = ("dataset_dir", "frozen", "fraction", "fold", "seed", "device", "resume", "output_dir", "ckpt_dir", "parent_run")


@dataclass(frozen=True)
class Init:
    """What the encoder starts from.

    Attributes:
        name: of the initialisation.
        weights: "" = random; `{seed}` in it stands for the cell's seed.
        overrides: what else it needs in the configuration.
        base: the initialisation that it is compared with.
        scopes: further names by which a setting may mean it (its method, its encoder).
    """

    name: str
    weights: str = ""
    overrides: Mapping[str, Any] = field(default_factory=dict)
    base: str = RANDOM
    scopes: tuple[str, ...] = ()

    def weights_of(self, seed: int) -> str:
        """The weights that cells of a seed start from."""
        return self.weights.replace("{seed}", str(seed))

    @classmethod
    def read(cls, text: str) -> Init:
        """`NAME=WEIGHTS[,KEY=VALUE…]`; a folder (or hub id) of a transformers model is the encoder as well.

        Raises:
            CxrError: for another form, and for weights that are not there.
        """
        name, equals, rest = text.partition("=")
        if not equals or not is_folder_name(name):
            raise CxrError(
                f"--init {text}: write NAME=WEIGHTS, such as ours=models/model.pt; NAME= starts from random."
            )
        weights, *pairs = re.split(r",(?=[A-Za-z_][\w#]*=)", rest)
        if re.match(r"[A-Za-z_][\w#]*=", weights):
            weights, pairs = "", [weights, *pairs]
        overrides = dict(_pair(pair, f"--init {name}") for pair in pairs)
        path = Path(weights)
        hub_id = re.fullmatch(r"[\w.-]+/[\w.-]+", weights) and path.suffix not in (".pt", ".pth", ".safetensors")
        if weights and not path.exists() and not hub_id:
            raise CxrError(f"--init {name}: no weights at {weights}.")
        if weights and (path.is_dir() or not path.exists()):
            overrides = {"encoder": weights, **overrides}
        return cls(name, weights, overrides)


@dataclass(frozen=True)
class Scoped:
    """A value that holds for some cells; `scopes` are tasks, modes, initialisations, or `1%`, `10%`, `100%`."""

    scopes: tuple[str, ...]
    value: Any

    def holds(self, *facts: str) -> bool:
        """Whether each scope is among what a cell is."""
        return set(self.scopes) <= set(facts)

    @classmethod
    def read(cls, text: str, known: Iterable[str]) -> Scoped:
        """`[SCOPE:]…REST`."""
        scopes, known = [], set(known)
        while (parts := text.partition(":"))[1] and parts[0] in known:
            scopes.append(parts[0])
            text = parts[2]
        return cls(tuple(scopes), text)


@dataclass(frozen=True)
class Cell:
    """One training and its evaluation.

    Attributes:
        task, init, mode, fraction, seed, fold: what it is; fold None = the data set's own split.
        folder: where all its files go.
        configs: files over the task's `train.json`.
        overrides: ids of the configuration, for training and evaluation alike.
        made_from: digests of the data and weights by name.
    """

    task: str
    init: str
    mode: str
    fraction: int
    seed: int
    fold: int | None
    folder: Path
    configs: tuple[str, ...] = ()
    overrides: Mapping[str, Any] = field(default_factory=dict, hash=False)
    made_from: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def headline(self) -> str:
        """What its value is called."""
        return TASKS[self.task].headline

    @property
    def likeness(self) -> tuple[object, ...]:
        """What decides how long it takes, from the most to the least important."""
        return self.task, self.mode, self.fraction, self.init

    @property
    def name(self) -> str:
        """As a person reads it, and as its MLflow run is called."""
        fold = "" if self.fold is None else f", fold {self.fold}"
        return f"{self.task} {self.init} {self.mode} {self.fraction} % seed {self.seed}{fold}"

    def identity(self) -> dict[str, Any]:
        """What the result depends on, as plain JSON values: another identity is another cell."""
        files = {name: Path(name).read_text(encoding="utf-8") for name in self.configs}
        return json.loads(json.dumps({**self.overrides, "configs": files, **self.made_from}))


@dataclass(frozen=True)
class Plan:
    """What is crossed with what; `made_from` has the digests of `data` and of each file or folder of weights."""

    dataset: str
    out: Path
    tasks: Sequence[str] = tuple(TASKS)
    inits: Sequence[Init] = (Init(RANDOM),)
    modes: Sequence[str] = MODES
    fractions: Sequence[int] = FRACTIONS
    seeds: Sequence[int] = (0, 1, 2)
    folds: bool = False
    settings: Sequence[Scoped] = ()
    configs: Sequence[Scoped] = ()
    made_from: Mapping[str, str] = field(default_factory=dict)

    def cells(self) -> list[Cell]:
        """All cells; seeds vary slowest, so that a first table with everything in it is there early."""
        folds: Sequence[int | None] = range(FOLDS) if self.folds else (None,)
        # The initialisation varies fastest: workers side by side then compute the features of different encoders.
        crossed = itertools.product(self.seeds, self.fractions, folds, self.tasks, self.modes, self.inits)
        return [self._cell(*combination) for combination in crossed]

    def _cell(self, seed: int, fraction: int, fold: int | None, task: str, mode: str, init: Init) -> Cell:
        place = f"{fraction}pct_seed{seed}" + ("" if fold is None else f"_fold{fold}")
        own = (init.name, *init.scopes)
        facts = (task, mode, f"{fraction}%", *own)
        weights = init.weights_of(seed)
        overrides: dict[str, Any] = {
            "dataset_dir": self.dataset,
            "encoder_weights": weights or None,
            "frozen": mode == "frozen",
            "fraction": fraction,
            "fold": fold,
            "seed": seed,
        }
        overrides |= init.overrides
        for setting in self.settings:
            key, value = setting.value
            # What an initialisation says of itself (a folder is its encoder as well) holds against a setting for all.
            if setting.holds(*facts) and (key not in init.overrides or set(own) & set(setting.scopes)):
                overrides[key] = value
        configs = tuple(str(config.value) for config in self.configs if config.holds(*facts))
        known = {"data": "data", init.name: weights}
        made_from = {name: self.made_from[key] for name, key in known.items() if key in self.made_from}
        folder = self.out / "cells" / task / init.name / mode / place
        return Cell(task, init.name, mode, fraction, seed, fold, folder, configs, overrides, made_from)


def read_settings(texts: Sequence[str], known: Iterable[str]) -> list[Scoped]:
    """Each `[SCOPE:]…KEY=VALUE`, the value as a Python literal where it is one."""
    known, settings = list(known), []
    for text in texts:
        scoped = Scoped.read(text, known)
        settings.append(Scoped(scoped.scopes, _pair(str(scoped.value), "--set")))
    return settings


def read_configs(texts: Sequence[str], known: Iterable[str]) -> list[Scoped]:
    """Each `[SCOPE:]…FILE`, an overlay over the task's `train.json`."""
    known = list(known)
    scoped = [Scoped.read(text, known) for text in texts]
    for one in scoped:
        if not Path(one.value).is_file():
            raise CxrError(f"--config {one.value}: no such file, and no scope of this sweep ({', '.join(known)}).")
    return scoped


def _pair(text: str, option: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not equals or not key or ":" in key.replace("::", ""):
        raise CxrError(
            f"{option} {text}: write KEY=VALUE, an id of the task's train.json, after a scope of this sweep."
        )
    if key in OWN:
        raise CxrError(f"{option} {key}: the sweep sets this id itself; see its options.")
    for read in (json.loads, ast.literal_eval):
        try:
            return key, read(value)
        except (ValueError, SyntaxError, RecursionError, MemoryError):  # the last two: nested without end
            continue
    return key, value
