"""Where the parts of a trained network lie, and its own `scripts` under a name that no other pack has."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monai.bundle import ConfigParser
from monai.bundle.utils import ID_SEP_KEY

from ..encoders.card import read_card
from ..errors import CxrError
from ..root import CONFIGS, FOLDER, PACKAGE
from .configs import read_config

# Of the run that trained, and not of the network.
_NOT_OF_THE_NETWORK = (
    *("task", "method", "encoder_weights", "encoder_mean", "encoder_std", "fraction", "fold", "seed"),
    "score_threshold",  # training validates with nearly all boxes; inference has its own
)


@dataclass(frozen=True)
class Pack:
    """A trained network before it is built.

    Attributes:
        root: what the configs' macros are relative to.
        configs: folder of the network's configs.
        package: what its `scripts` are called in this process.
        weights: of `network_def`.
        settings: that it was trained with, those of the caller over them.
    """

    root: Path
    configs: Path
    package: str
    weights: Path
    settings: Mapping[str, Any]

    @classmethod
    def find(cls, place: str | Path, settings: Mapping[str, Any]) -> Pack:
        """The parts of a pack or a clone (a folder with `configs/inference.json`), or of a file of weights (or its
        folder) with this package's own configs.

        Raises:
            CxrError: there are no weights.
        """
        folder = Path(place)
        if (folder / "configs" / "inference.json").is_file():
            weights = _existing(folder / "models" / "model.pt", "train first, or give the file of weights")
            own = {**read_card(weights), **settings}
            return cls(folder, folder / "configs", import_scripts(folder), weights, own)
        weights = _existing(folder / "model.pt" if folder.is_dir() else folder, "give a pack's folder or a model.pt")
        own = {**read_card(weights), **settings}
        if "encoder" not in own:
            raise CxrError(
                f"{weights} has no model.json beside it, which tells what it was trained with: copy it there, or say "
                'load(..., encoder="resnet50", image_size=224).'
            )
        return cls(CONFIGS.parent, CONFIGS / own.get("task", ""), PACKAGE, weights, own)

    def read(self, *names: str) -> ConfigParser:
        """The configs of these names, one over the other, with the settings in them."""
        files = [self.configs / f"{name}.json" for name in names]
        encoder, overlay = self.configs / "encoder.json", self.configs / f"{self.settings.get('method')}.json"
        if "encoder_options" in self.settings and encoder.is_file():
            files.insert(1, encoder)
        if names[0] == "train" and overlay.is_file():
            files.insert(1, overlay)
        parser = read_config(files, self.root, self.package)
        for name, value in self.settings.items():
            if name not in _NOT_OF_THE_NETWORK and name.split("#")[0] in parser:
                parser[name.replace("#", ID_SEP_KEY)] = value
        return parser


def import_scripts(folder: Path) -> str:
    """The `scripts` of a pack under a name of its own, so that several packs live in one process; this package itself
    where they are its own, and for a pack that has none.

    A pack's scripts and configs are code: load packs from a source that you trust.
    """
    scripts = (folder / "scripts").resolve()
    if scripts == FOLDER or not (scripts / "__init__.py").is_file():
        return PACKAGE
    name = f"cxr_pack_{hashlib.blake2b(str(scripts).encode(), digest_size=6).hexdigest()}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(
            name, scripts / "__init__.py", submodule_search_locations=[str(scripts)]
        )
        if spec is None or spec.loader is None:
            raise CxrError(f"{scripts} cannot be imported.")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return name


def _existing(path: Path, cure: str) -> Path:
    if not path.is_file():
        raise CxrError(f"No weights at {path}: {cure}.")
    return path
