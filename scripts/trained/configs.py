"""Configs from any working directory and for any name of the package."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

from monai.bundle import ConfigParser
from monai.bundle.utils import MACRO_KEY

Config = dict[str, Any]


def read_config(files: list[Path], root: Path, package: str = "scripts") -> ConfigParser:
    """The merged configs with every macro that names another file expanded.

    Args:
        files: each over those before it.
        root: what `%configs/…` is relative to.
        package: what `scripts` is called in this process.
    """
    parser = ConfigParser()
    parser.read_config([str(file) for file in files])
    config = expand(parser.get(), root)
    return ConfigParser(renamed(config, package))


def expand(value: Any, root: Path) -> Any:
    """A config's content with each `%file.json::id` replaced by what stands there, as deep as they go; macros of the
    file itself (`%training`) stay.
    """
    if isinstance(value, Mapping):
        return {key: expand(part, root) for key, part in value.items()}
    if isinstance(value, list):
        return [expand(part, root) for part in value]
    if isinstance(value, str) and value.startswith(MACRO_KEY):
        file, ids = ConfigParser.split_path_id(value[len(MACRO_KEY) :])
        if file:
            found = ConfigParser(ConfigParser.load_config_file(root / file))
            return expand(deepcopy(found[ids]), root)
    return value


def renamed(config: Config, package: str) -> Config:
    """The config with `scripts.…` in targets and expressions called by the package's name."""
    if package == "scripts":
        return config
    rename: Callable[[str], str] = lambda text: re.sub(r"\bscripts\.(?=\w)", f"{package}.", text)  # noqa: E731

    def of(key: str, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {name: of(name, part) for name, part in value.items()}
        if isinstance(value, list):
            return [of(key, part) for part in value]
        is_code = isinstance(value, str) and (key.endswith("_target_") or value.startswith("$"))
        return rename(value) if is_code else value

    return dict(of("", config))
