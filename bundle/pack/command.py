"""The verb `pack`: checks the weights against the network, and writes the folder in one piece."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigParser
from torch import nn

from scripts.atomic import save_atomically
from scripts.encoders.normalization import image_statistics
from scripts.encoders.weights import load_weights
from scripts.errors import CxrError

from .configs import (
    Config,
    anywhere,
    apply_settings,
    carry_normalization,
    read_configs,
    set_paths,
)
from .data_licence import data_licence
from .kinds import KINDS, Kind
from .metadata import describe, require
from .method import describe_method, read_module, read_overlay
from .numbers import Run, read_run
from .readme import Parts, readme
from .scripts_part import ScriptsPart

ROOT = Path(__file__).resolve().parents[2]
WHOLE = "pretraining.pt"  # the module that a pre-training has trained
SCORE = "score_threshold"
PATHS = ("encoder_weights", "start_weights")  # settings that are files of the machine that trained


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    parser.add_argument("task", choices=KINDS, metavar="TASK", help=", ".join(KINDS))
    parser.add_argument("--weights", type=Path, required=True, help="state dict of the task's network_def")
    parser.add_argument("--out", type=Path, required=True, metavar="DIST", help="folder that the pack is written into")
    parser.add_argument(
        "--evaluation", type=Path, metavar="FOLDER",
        help="output_dir of the weights' evaluation (default: the one beside them, unless it is older)",
    )  # fmt: skip
    parser.add_argument(
        "--set", action="append", default=[], metavar="ID=VALUE", dest="settings",
        help="a switch that model.json beside the weights does not have, as --set encoder=resnet18; repeatable",
    )  # fmt: skip
    parser.add_argument("--data", help="what the weights were trained on and under which terms, in words")
    parser.add_argument("--version", help="of the pack (default: the configs')")
    parser.add_argument("--changes", help="what is new in this version")


def main(args: argparse.Namespace) -> int:
    """Packs, and says where."""
    folder = pack(
        args.task, args.weights, args.out, args.evaluation, dict(map(_setting, args.settings)), args.data,
        args.version, args.changes,
    )  # fmt: skip
    print(f"{folder}: python -m monai.bundle run inferring --config_file configs/inference.json --dataset_dir FOLDER")
    if KINDS[args.task].module and not (folder / "models" / WHOLE).is_file():
        print(f"Without projectors: no {WHOLE} of these weights lies beside them.")
    return 0


def pack(
    task: str,
    weights: Path,
    out: Path,
    evaluation: Path | None = None,
    settings: Mapping[str, Any] | None = None,
    data: str | None = None,
    version: str | None = None,
    changes: str | None = None,
) -> Path:
    """Writes `out/<name of the kind's pack>` and returns it.

    Args:
        task: a key of `KINDS`.
        weights: state dict of the task's `network_def`; settings of its run are read from `.json` beside it.
        out: parent folder.
        evaluation: folder of its evaluation; None = the one that lies beside the weights, if any.
        settings: on top of the run's.
        data: what the weights were trained on, and its terms.
        version, changes: of the pack; None = those of the configs.

    Raises:
        CxrError: the weights are not those of the network, the pack is there already, or a setting is unknown.
    """
    kind = KINDS[task]
    folder = out / kind.pack
    if folder.exists():
        raise CxrError(f"{folder} is there already: remove it, or give another --out.")
    run = read_run(weights, kind, evaluation)
    if run.settings.get("task", task) != task:
        raise CxrError(f"{weights} was trained for {run.settings['task']}, not for {task}.")
    known = {**run.settings, **(settings or {})}
    overlay = _overlay(weights, known) if kind.module else {}
    # A pre-trained encoder that is no stock ResNet has options, if only empty ones (`configs/encoder.json`).
    configs = read_configs(ROOT, kind, kind.module and "encoder_options" in known, overlay)
    apply_settings(configs, {**_known(run.settings, configs), **_calibration(run, configs), **(settings or {})})
    set_paths(configs, kind)
    try:
        network = _network(configs["train"])
        built = image_statistics(network)
        network = load_weights(network, weights)
    except CxrError as error:
        if run.settings:
            raise
        raise CxrError(
            f"{error} No {weights.stem}.json beside the weights says so: give --set encoder=NAME."
        ) from error
    if (found := image_statistics(network)) is not None and found != built:
        carry_normalization(configs, found)
    module = read_module(weights.parent / WHOLE, network, configs["train"], known) if kind.module else None
    content = Content(kind, configs, overlay, network, module, replace(run, settings=known))
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out, prefix=f".{kind.pack}.") as temporary:
        part = Path(temporary) / kind.pack
        _write(part, content, data, version, changes)
        part.rename(folder)
    return folder


@dataclass(frozen=True)
class Content:
    """What goes into a pack.

    Attributes:
        kind: of pack.
        configs: by name.
        overlay: of the method of a pre-training.
        network: `network_def` with its weights.
        module: state of the whole pre-trained module; None = it is not there.
        run: its settings are those of the pack.
    """

    kind: Kind
    configs: dict[str, Config]
    overlay: Config
    network: nn.Module
    module: dict[str, torch.Tensor] | None
    run: Run


def _write(part: Path, content: Content, data: str | None, version: str | None, changes: str | None) -> None:
    kind, configs, network, run = content.kind, content.configs, content.network, content.run
    source = kind.configs(ROOT)
    scripts = ScriptsPart(ROOT)
    scripts.add_configs(configs)
    metadata = json.loads((source / "metadata.json").read_text(encoding="utf-8"))
    names = configs["train"]["names"] if kind.names else []
    describe_method(metadata, content.overlay)
    describe(metadata, network, names, configs["train"]["image_size"], data)
    require(metadata, scripts.third_party() - set(sys.stdlib_module_names))
    metadata["version"] = version or metadata["version"]
    if changes or metadata["version"] not in metadata["changelog"]:
        metadata["changelog"][metadata["version"]] = changes or "packed"
    (part / "configs").mkdir(parents=True)
    for name, config in {**configs, "metadata": metadata}.items():
        _write_json(config, part / "configs" / f"{name}.json")
    shutil.copy(source / "logging.conf", part / "configs")
    shutil.copy(ROOT / "LICENSE", part)
    scripts.write(part)
    card = {"settings": _card(run.settings), "best": run.best}
    for file, state in {"model.pt": network.state_dict(), WHOLE: content.module}.items():
        if state is not None:
            save_atomically(state, part / "models" / file)
            _write_json(card, (part / "models" / file).with_suffix(".json"))
    (part / "docs" / "pictures").mkdir(parents=True)
    charts = [Path(shutil.copy(chart, part / "docs" / "pictures")).name for chart in run.charts]
    parts = Parts(configs["inference"]["network_def"]["_target_"] == "@encoder", content.module is not None)
    page = readme(kind, metadata, run, _told(run, configs["train"]), charts, parts)
    (part / "docs" / "README.md").write_text(page, encoding="utf-8")
    (part / "docs" / "data_license.txt").write_text(data_licence(data), encoding="utf-8")


def _network(config: Config) -> nn.Module:
    """`network_def` of a config, from a copy: reading it changes it."""
    network = ConfigParser(deepcopy(config)).get_parsed_content("network_def")
    if not isinstance(network, nn.Module):
        raise CxrError(f"network_def is a {type(network).__name__}, not a network.")
    return network


def _overlay(weights: Path, settings: Mapping[str, Any]) -> Config:
    """That of the method that the run's card tells, or `--set`."""
    if "method" not in settings:
        raise CxrError(
            f"No {weights.stem}.json beside the weights tells which method trained them: give --set method=NAME, such "
            "as mflag or the name of an overlay in configs."
        )
    return read_overlay(ROOT, str(settings["method"]))


def _card(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings for the card in the pack: no path of the machine that trained, and not what `_known` leaves out."""
    gone = (*PATHS, SCORE)
    return {name: anywhere(name, value) for name, value in settings.items() if "#" not in name and name not in gone}


def _known(settings: Mapping[str, Any], configs: Mapping[str, Config]) -> dict[str, Any]:
    """Settings of the run that a config still has; what an older version recorded besides is not an error.

    Not the least score of a box: precision wants the whole ranking, a reader of inference's boxes has a higher one.
    """
    known = {name: value for name, value in settings.items() if any(name in config for config in configs.values())}
    known.pop(SCORE, None)
    return known


def _calibration(run: Run, configs: Mapping[str, Config]) -> dict[str, Any]:
    """Temperature and thresholds that the evaluation chose, where inference has such switches."""
    found = {key: run.details.get(key) for key in ("temperature", "thresholds")}
    return {key: value for key, value in found.items() if value is not None and key in configs["inference"]}


def _told(run: Run, config: Config) -> dict[str, Any]:
    """Settings of the run for people: no path of its machine, an encoder's folder as its configuration."""
    told = {key: value for key, value in run.settings.items() if key not in PATHS}
    return told | {key: config[key] for key in ("encoder", "encoder_options", "image_size") if key in config}


def _write_json(content: Any, path: Path) -> None:
    path.write_text(json.dumps(content, indent=4, ensure_ascii=False) + "\n", encoding="utf-8")


def _setting(text: str) -> tuple[str, Any]:
    """`ID=VALUE`, the value as JSON where it is that, else a text."""
    name, equals, value = text.partition("=")
    if not equals:
        raise CxrError(f"--set {text}: write it as ID=VALUE.")
    try:
        return name, json.loads(value)
    except (ValueError, RecursionError):
        return name, value
