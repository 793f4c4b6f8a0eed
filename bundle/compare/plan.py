"""Which pre-trainings a comparison has: methods × encoders × seeds, all with the same budget."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scripts.errors import CxrError
from scripts.names import is_folder_name

from ..sweep.plan import Scoped

CONFIGS = Path("configs")
PRETRAINING = "pretraining"  # the scope of settings that are for this stage
PLAIN = "mflag"  # the method of train.json itself
BUDGET = ("epochs", "batch_size", "image_size")


@dataclass(frozen=True)
class Encoder:
    """An encoder by the name that the tables call it, and what `encoder` and `encoder_weights` are for it.

    Attributes:
        name: of letters, digits, `.`, `+`, `-` and `_`.
        encoder: a name of MONAI's, a transformers folder or a hub id.
        weights: that pre-training starts from; "" = random.
    """

    name: str
    encoder: str
    weights: str = ""

    @classmethod
    def read(cls, text: str) -> Encoder:
        """`ENCODER`, or `NAME=ENCODER`; a folder or hub id of transformers starts from the weights that it holds.

        Raises:
            CxrError: for another form, and for a folder that is not there.
        """
        name, equals, encoder = text.partition("=")
        encoder = encoder if equals else name
        short = re.sub(r"@.*", "", Path(encoder).name)
        name = name if equals else re.sub(r"[^\w.+-]", "_", short)
        if not is_folder_name(name) or not encoder:
            raise CxrError(f"--encoders {text}: write resnet18, FOLDER, or NAME=FOLDER.")
        folder = Path(encoder).is_dir()
        hub = re.fullmatch(r"[\w.-]+/[\w.-]+(@[\w.-]+)?", encoder) is not None
        if "/" in encoder and not folder and not hub:
            raise CxrError(f"--encoders {text}: no folder {encoder}.")
        return cls(name, encoder, encoder if folder or hub else "")

    @property
    def is_stock(self) -> bool:
        """Whether train.json builds it without configs/encoder.json."""
        return re.fullmatch(r"resnet\d+", self.encoder) is not None


@dataclass(frozen=True)
class PretrainingCell:
    """One pre-training.

    Attributes:
        method, encoder, seed: what it is.
        folder: where all its files go.
        configs: files over train.json.
        overrides: ids of the configuration, for training and evaluation alike.
        made_from: digests of the data and of the weights that the encoder starts from.
    """

    method: str
    encoder: str
    seed: int
    folder: Path
    configs: tuple[str, ...] = ()
    overrides: Mapping[str, Any] = field(default_factory=dict, hash=False)
    made_from: Mapping[str, str] = field(default_factory=dict, hash=False)

    headline = "best validation"

    @property
    def name(self) -> str:
        """As a person reads it, and as its MLflow run is called."""
        return f"pre-training {self.method} {self.encoder} seed {self.seed}"

    @property
    def likeness(self) -> tuple[object, ...]:
        """What decides how long it takes, from the most to the least important."""
        return PRETRAINING, self.encoder, self.method

    @property
    def weights(self) -> Path:
        """The pre-trained encoder."""
        return self.folder / "models" / "model.pt"

    def identity(self) -> dict[str, Any]:
        """What the result depends on, as plain JSON values."""
        files = {name: Path(name).read_text(encoding="utf-8") for name in self.configs}
        return json.loads(json.dumps({**self.overrides, "configs": files, **self.made_from}))


@dataclass(frozen=True)
class EvaluationCell:
    """`evaluate.json` of one pre-training on one data set: zero-shot, retrieval, geometry.

    Attributes:
        of: the pre-training.
        data: the data set.
        overrides: of the configuration, beside those of the pre-training.
        made_from: digests of the data and of the pre-trained weights.
    """

    of: PretrainingCell
    data: str
    folder: Path
    overrides: Mapping[str, Any] = field(default_factory=dict, hash=False)
    made_from: Mapping[str, str] = field(default_factory=dict, hash=False)

    headline = "zero-shot macro AUROC"

    @property
    def name(self) -> str:
        """As a person reads it."""
        return f"evaluation of {self.of.method} {self.of.encoder} seed {self.of.seed} on {Path(self.data).name}"

    @property
    def likeness(self) -> tuple[object, ...]:
        """What decides how long it takes, from the most to the least important."""
        return "evaluation", self.data, self.of.encoder, self.of.method

    def identity(self) -> dict[str, Any]:
        """What the result depends on, as plain JSON values."""
        return json.loads(json.dumps({"dataset_dir": self.data, **self.overrides, **self.made_from}))


@dataclass(frozen=True)
class Comparison:
    """What is pre-trained.

    Attributes:
        dataset: of images and reports.
        out: of the whole sweep.
        pairs: method and encoder.
        seeds: of each.
        budget: epochs, batch size and image size, the same for all.
        settings, configs: of this stage, with `pretraining` among their scopes.
        made_from: digests of `data` and of each file or folder of weights.
    """

    dataset: str
    out: Path
    pairs: Sequence[tuple[str, Encoder]]
    seeds: Sequence[int]
    budget: Mapping[str, Any]
    settings: Sequence[Scoped] = ()
    configs: Sequence[Scoped] = ()
    made_from: Mapping[str, str] = field(default_factory=dict)

    @property
    def encoders(self) -> list[Encoder]:
        """Each once."""
        return list(dict.fromkeys(encoder for _, encoder in self.pairs))

    def cells(self) -> list[PretrainingCell]:
        """All pre-trainings; seeds vary slowest."""
        return [self._cell(*pair, seed) for seed, pair in itertools.product(self.seeds, self.pairs)]

    def start_of(self, method: str, encoder: Encoder) -> str:
        """The weights that pre-training starts from; "" = random."""
        return str(self._overrides(method, encoder)["encoder_weights"] or "")

    def _overrides(self, method: str, encoder: Encoder) -> dict[str, Any]:
        own = {"encoder": encoder.encoder, "encoder_weights": encoder.weights or None}
        facts = (PRETRAINING, method, encoder.name)
        given = dict(setting.value for setting in self.settings if setting.holds(*facts))
        return {"dataset_dir": self.dataset, **own, **given, **self.budget}

    def _cell(self, method: str, encoder: Encoder, seed: int) -> PretrainingCell:
        overrides = self._overrides(method, encoder) | {"seed": seed}
        start = str(overrides["encoder_weights"] or "")
        known = {"data": "data", "encoder weights": start}
        return PretrainingCell(
            method,
            encoder.name,
            seed,
            self.out / PRETRAINING / method / encoder.name / f"seed{seed}",
            self._configs(method, encoder),
            overrides,
            {name: self.made_from[key] for name, key in known.items() if key in self.made_from},
        )

    def _configs(self, method: str, encoder: Encoder) -> tuple[str, ...]:
        facts = (PRETRAINING, method, encoder.name)
        form = [] if encoder.is_stock else [CONFIGS / "encoder.json"]
        overlay = [] if method == PLAIN else [CONFIGS / f"{method}.json"]
        given = [str(config.value) for config in self.configs if config.holds(*facts)]
        return (*map(str, [*form, *overlay]), *given)


def read_pairs(methods: Sequence[str], encoders: Sequence[str]) -> list[tuple[str, Encoder]]:
    """Each method with each encoder; `METHOD:ENCODER` with that one alone.

    Raises:
        CxrError: two encoders of one name, an encoder that is not listed, or a method without a configuration.
    """
    if not methods:
        raise CxrError("--methods: name at least one, such as mflag,convirt.")
    listed = [Encoder.read(text) for text in encoders]
    by_name = {encoder.name: encoder for encoder in listed}
    if not listed or len(by_name) < len(listed):
        raise CxrError("--encoders: name at least one, and each differently (NAME=FOLDER).")
    pairs = []
    for text in methods:
        method, colon, name = text.partition(":")
        if method != PLAIN and not (CONFIGS / f"{method}.json").is_file():
            raise CxrError(f"--methods {method}: no {CONFIGS / f'{method}.json'}; a method is an overlay of that name.")
        if colon and name not in by_name:
            raise CxrError(f"--methods {text}: {name} is none of --encoders ({', '.join(by_name)}).")
        pairs += [(method, by_name[name])] if colon else [(method, encoder) for encoder in listed]
    return list(dict.fromkeys(pairs))


def read_budget(settings: Sequence[Scoped]) -> dict[str, Any]:
    """Epochs, batch size and image size: those of `--set pretraining:…`, else train.json's; never a method's own.

    Raises:
        CxrError: a setting gives one method or encoder another budget.
    """
    plain = json.loads((CONFIGS / "train.json").read_text(encoding="utf-8"))
    budget = {name: plain[name] for name in BUDGET}
    for setting in settings:
        name, value = setting.value
        if name in BUDGET:
            if setting.scopes != (PRETRAINING,):
                raise CxrError(
                    f"--set {':'.join(setting.scopes)}:{name}: a comparison has one budget for all; "
                    f"write --set {PRETRAINING}:{name}={value}."
                )
            budget[name] = value
    return budget
