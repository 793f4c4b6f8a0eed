"""`scripts` where the wheel is installed: another name of `cxr_vlp`, which this package imports by the clone's name."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

NAME = "scripts"


class _Alias(MetaPathFinder, Loader):
    """Gives each module of the package under its second name as well: the same object, and no second copy."""

    def __init__(self, package: str) -> None:
        self.package = package
        self.specs: dict[str, ModuleSpec | None] = {}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Of `scripts` and what is below it."""
        return ModuleSpec(fullname, self) if fullname.split(".")[0] == NAME else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """The module itself."""
        module = import_module(self.package + spec.name.removeprefix(NAME))
        self.specs[spec.name] = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """It has run already; Python has written the second name into it, and gets the first one back."""
        second = module.__spec__
        assert second is not None
        module.__spec__ = self.specs[second.name]


def call_scripts(package: str) -> None:
    """Makes `scripts` a second name of the installed package in this process.

    Raises:
        ImportError: another bundle's `scripts` is imported already.
    """
    if NAME in sys.modules:
        raise ImportError(f"{package}.bundle needs a process without another bundle's `{NAME}`: start a new one.")
    if not any(isinstance(finder, _Alias) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Alias(package))
