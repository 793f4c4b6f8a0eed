"""Refuses a mistyped override, which MONAI's command line would add to the config and ignore."""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from pydoc import locate
from typing import Any

from fire.parser import DefaultParseValue
from monai.bundle import ConfigComponent, ConfigParser
from monai.bundle.scripts import run
from monai.bundle.utils import ID_SEP_KEY, MACRO_KEY

from ..errors import CxrError
from .switches import misfit

# Ids that MONAI's tracking and the bundle's consumers put into any config.
INJECTED = {
    "bundle_root", "run_name", "output_dir", "tracking_uri", "experiment_name", "save_execute_config", "workflow_type",
    "properties_path", "workflow_name",
}  # fmt: skip


def check_command_line(arguments: Sequence[str]) -> None:
    """Compares the overrides of `python -m monai.bundle run … --key value` with the config that they override.

    Args:
        arguments: `sys.argv[1:]`.

    Raises:
        CxrError: an override names an id that the config does not have and no component accepts, a switch has a value
            of the wrong kind, an override says `None`, which MONAI passes over; or the encoder needs the overlay
            `encoder.json`.
    """
    given = _given(arguments)
    if "config_file" not in given:
        return
    files = given["config_file"]
    config = read_files(files)
    known = set(inspect.signature(run).parameters) | INJECTED
    for name in given:
        if name not in known and not is_overridable(config, name):
            raise CxrError(_unknown(name, config, files))
        if given[name] is None and _has_value(config, name):
            raise CxrError(
                f"--{name} None: MONAI passes over it, and the config's value would stay. Write a file with "
                f'{{"{name}": null}}, and give it last in --config_file.'
            )
    overrides = {name: value for name, value in given.items() if name not in inspect.signature(run).parameters}
    check_values(overrides, config)
    _check_files(files)
    _check_encoder(given.get("encoder", config.get("encoder")), config, files)


def read_files(files: Any) -> ConfigParser:
    """A config from its files, as MONAI merges them.

    Raises:
        CxrError: one is not there, or no JSON (YAML); its name and place are told.
    """
    for file in [files] if isinstance(files, str | Path) else files:
        try:
            ConfigParser.load_config_file(file)
        except Exception as error:  # json's and yaml's own kinds, of the disk, a key that stands twice
            raise CxrError(
                f"{file} cannot be read as a configuration: {' '.join(str(error).split())[:200]}."
            ) from error
    config = ConfigParser()
    config.read_config(files)
    return config


def check_values(overrides: Mapping[str, Any], config: ConfigParser, option: str = "--") -> None:
    """Compares values with what the switches of a config take, those that stand deeper in it as far as one names them.

    Args:
        overrides: id → value.
        config: that they override.
        option: what stands before an id where it was given.

    Raises:
        CxrError: a value is of the wrong kind.
    """
    for name, value in overrides.items():
        default = config.get(name.replace("#", ID_SEP_KEY))
        switch = name
        if isinstance(default, str) and default.startswith("@") and default[1:] in config:
            switch, default = default[1:], config.get(default[1:])
        elif re.search("#|::", name) and not (isinstance(value, str) and isinstance(default, int | float)):
            continue  # a component's own argument may take more than the kind of its default, but no text for a number
        if why := misfit(switch, value, default):
            raise CxrError(f"{option}{name} {value}: {why}.")


def _check_files(files: Any) -> None:
    """The same of overlays: a file's switches, against those of the files before it."""
    first, *overlays = [files] if isinstance(files, str) else files
    config = read_files(first)
    for file in overlays:
        content = ConfigParser.load_config_file(file)
        known = {name: value for name, value in content.items() if not name.startswith("+")}
        try:
            check_values({name: value for name, value in known.items() if name in config}, config, "")
        except CxrError as error:
            raise CxrError(f"{Path(file).as_posix()}: {error}") from None
        config.update({name: value for name, value in known.items() if name not in config})


def _check_encoder(encoder: Any, config: ConfigParser, files: Any) -> None:
    """Refuses an encoder that the stock ResNet's `network_def`, whose class is the encoder's name, cannot be."""
    network = config.get("network_def")
    stock = isinstance(network, dict) and network.get("_target_") == "@encoder"
    if stock and not re.fullmatch(r"resnet\d+\w*", str(encoder)):
        shown = [Path(file).as_posix() for file in ([files] if isinstance(files, str) else files)]
        overlay = (Path(shown[0]).parent / "encoder.json").as_posix()
        listed = ",".join(f"'{file}'" for file in [shown[0], overlay, *shown[1:]])
        raise CxrError(
            f"--encoder {encoder} is no ResNet of MONAI, which {shown[0]} builds alone. Any other encoder goes through "
            f'{Path(overlay).name}: --config_file "[{listed}]".'
        )


def command_line_config(arguments: Sequence[str]) -> dict[str, Any] | None:
    """The config that a command line of MONAI gives: its files merged, its overrides put in; None without a config
    file.
    """
    given = _given(arguments)
    if "config_file" not in given:
        return None
    config = ConfigParser()
    config.read_config(given["config_file"])
    own = set(inspect.signature(run).parameters)
    config.update({name: value for name, value in given.items() if name not in own})
    config.resolve_macro_and_relative_ids()
    return config.get()


def _given(arguments: Sequence[str]) -> dict[str, Any]:
    """What a command line says, the file of its `--args_file` included, with the types that MONAI gives it."""
    given: dict[str, Any] = {name: DefaultParseValue(value) for name, value in named_arguments(arguments).items()}
    return {**ConfigParser.load_config_file(given["args_file"]), **given} if "args_file" in given else given


def named_arguments(arguments: Sequence[str]) -> dict[str, str]:
    """The pairs of a command line as Fire, which MONAI reads it with, finds them: `--key value`, `--key=value`, one
    dash or two, a dash within the key for an underscore, True for a key without a value, and nothing behind a bare
    `--`.
    """
    arguments = list(takewhile(lambda argument: argument != "--", arguments))
    pairs: dict[str, str] = {}
    for argument, following in zip(arguments, [*arguments[1:], "--"]):
        if _is_flag(argument):
            key, equals, value = argument.lstrip("-").partition("=")
            if not equals:
                value = "True" if _is_flag(following) else following
            pairs[key.replace("-", "_")] = value
    return pairs


def _is_flag(argument: str) -> bool:
    return re.match(r"--|-[a-zA-Z]", argument) is not None


def is_overridable(config: ConfigParser, name: str) -> bool:
    """Whether `name` is an id of the config, or a further argument that one of its components accepts."""
    name = name.replace("#", ID_SEP_KEY)
    if name in config:
        return True
    owner, _, argument = name.rpartition(ID_SEP_KEY)
    if not owner or owner not in config or not isinstance(config[owner], dict) or "_target_" not in config[owner]:
        return False
    return argument in ("_disabled_", "_mode_", "_requires_", "_desc_") or _accepts(config, owner, argument)


def _has_value(config: ConfigParser, name: str) -> bool:
    """Whether something else than null stands under an id; of a macro that is not known."""
    value = config.get(name.replace("#", ID_SEP_KEY))
    return value is not None and not str(value).startswith(MACRO_KEY)


def _accepts(config: ConfigParser, owner: str, argument: str) -> bool:
    """Whether the class or function that the component `owner` names takes an argument of that name."""
    config.parse(reset=True)
    item = config.ref_resolver.get_item(owner)
    target = locate(item.resolve_module_name()) if isinstance(item, ConfigComponent) else None
    if not callable(target):
        # A target that is itself a reference is known only once the config runs; the call then refuses a wrong
        # argument.
        return True
    parameters = inspect.signature(target).parameters
    return argument in parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values())


def _unknown(name: str, config: ConfigParser, files: Any) -> str:
    shown = ", ".join(Path(file).as_posix() for file in ([files] if isinstance(files, str) else files))
    top = [key for key in config.get() if not key.startswith("_")]
    near = difflib.get_close_matches(name, top, n=1)
    hint = f"Did you mean --{near[0]}?" if near else f"Its switches are: {', '.join(_switches(config))}."
    return f"--{name}: {shown} has no such id. {hint}"


def _switches(config: ConfigParser) -> list[str]:
    """Top-level plain values, which is what a person overrides first."""
    plain = (str, int, float, bool, type(None))
    return [key for key, value in config.get().items() if isinstance(value, plain) and not key.startswith("_")]
