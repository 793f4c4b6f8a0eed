"""Configs that stand alone: macros of other files expanded, switches set to those of the run."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

from monai.bundle import ConfigParser
from monai.bundle.utils import ID_SEP_KEY, merge_kv

from scripts.encoders.factory import encoder_config
from scripts.encoders.normalization import Normalization
from scripts.engine.overrides import check_values, is_overridable
from scripts.errors import CxrError
from scripts.trained.configs import expand

from .kinds import Kind

CONFIGS = ("train", "evaluate", "inference", "multi_gpu_train")
# Of the run and its machine, not of the network.
NOT_SWITCHES = (
    "task", "method", "encoder_weights", "encoder_mean", "encoder_std", "start_weights", "fraction", "fold"
)  # fmt: skip
Config = dict[str, Any]


def read_configs(
    root: Path, kind: Kind, any_encoder: bool = False, method: Mapping[str, Any] | None = None
) -> dict[str, Config]:
    """The four configs of a kind, by name, with no macro that names another file.

    Args:
        root: of the project, from which macros name files.
        kind: what is packed.
        any_encoder: puts `configs/encoder.json` over those of pre-training that build an encoder.
        method: overlay that goes over train.json.
    """
    folder = kind.configs(root)
    configs = {name: expand(ConfigParser.load_config_file(folder / f"{name}.json"), root) for name in CONFIGS}
    train = configs["train"] = _merged(configs["train"], method or {})
    if any_encoder:
        for name in ("train", "inference"):
            configs[name] = _merged(configs[name], ConfigParser.load_config_file(folder / "encoder.json"))
    if "adaptor_options" in train:  # put together of switches; the settings have them whole
        train["adaptor_options"] = "@encoder_options"
        del train["tokens"]
    return configs


def _merged(config: Config, overlay: Mapping[str, Any]) -> Config:
    """A config with an overlay over it, as MONAI merges files; an overlay's own notes (`_metadata_`) stay behind."""
    parser = ConfigParser(config)
    for name, value in overlay.items():
        if not name.startswith("_"):
            merge_kv(parser, name, deepcopy(value))
    merged: Config = parser.get()
    return merged


def apply_settings(configs: dict[str, Config], settings: Mapping[str, Any]) -> None:
    """Makes the settings of a run the defaults of every config that has them, in place.

    An `encoder` that is a folder or a hub's model, or the body of an adapted one, becomes the content of its
    config.json, so that the network is built anywhere.

    Raises:
        CxrError: no config has such an id.
    """
    for name, value in settings.items():
        if name in NOT_SWITCHES:
            continue
        value = anywhere(name, value)
        owners = [config for config in configs.values() if _has(config, name)]
        if not owners:
            raise CxrError(f"The configs have no {name!r}: give settings that training or inference has.")
        for config in owners:
            parser = ConfigParser(config)
            check_values({name: value}, parser, "--set ")
            parser[name.replace("#", ID_SEP_KEY)] = deepcopy(value)
            config.update(parser.get())


def set_paths(configs: dict[str, Config], kind: Kind) -> None:
    """The pack's own weights wherever a config reads or writes them, in place."""
    for name in ("train", "inference"):
        configs[name]["ckpt_dir"] = "$@bundle_root + '/models'"
    for name in ("evaluate", "inference"):
        configs[name]["weights"] = "$@ckpt_dir + '/model.pt'"
    # Not from ckpt_dir: a training that saves elsewhere starts from the pack's weights all the same.
    configs["train"] |= kind.start


def carry_normalization(configs: dict[str, Config], found: Normalization) -> None:
    """Has every config build the network with what its encoder normalises images by, in place: MONAI's own loaders pass
    over tensors that a network is not built with.
    """
    own = {"image_mean": list(found.mean), "image_std": list(found.std)}
    for config in configs.values():
        network = config.get("network_def", {})
        if network.get("_target_") == "@encoder":  # MONAI's own class
            config["network_def"] = {
                **network,
                "_target_": "scripts.encoders.build_encoder",
                "encoder": "@encoder",
                **own,
            }
        elif "body" in config.get("encoder_options", {}):
            options = config["encoder_options"]
            config["encoder_options"] = {**options, "body_options": {**options.get("body_options", {}), **own}}
        elif "encoder_options" in config:
            config["encoder_options"] = {**config["encoder_options"], **own}


def anywhere(name: str, value: Any) -> Any:
    """A setting without what only this machine has: of an encoder that is a folder or a hub's model, the content of its
    config.json.
    """
    if name == "encoder_options" and "body" in value:
        return {**value, "body": anywhere("encoder", value["body"])}
    if name == "encoder":
        value = encoder_config(value)
        if isinstance(value, dict):
            value.pop("_name_or_path", None)  # where it lay
    return value


def _has(config: Config, name: str) -> bool:
    # A copy: the look at a component's arguments parses the config, which expands its own macros.
    parser = ConfigParser(deepcopy(config))
    return name.replace("#", ID_SEP_KEY) in parser or is_overridable(parser, name)
