"""The part of `scripts` that configs need: modules by their imports, and of each package's exports those in use."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib.util import resolve_name
from pathlib import Path
from typing import Any

from scripts.atomic import write_text_atomically
from scripts.errors import CxrError

PACKAGE = "scripts"


class ScriptsPart:
    """Modules of `scripts` that a pack needs, found from names in configs.

    A package's `__init__` imports everything that it exports; here only the names that are asked for are followed, and
    written into the pack's `__init__`. It must consist of such imports, without `as`, as all of ours do.

    Args:
        root: of the project.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.modules: set[str] = set()
        self.exports: dict[str, set[str]] = {}

    def add_configs(self, configs: Any) -> None:
        """Whatever of `scripts` a config's strings name: targets, expressions, imports."""
        for text in _strings(configs):
            for name in re.findall(rf"\b{PACKAGE}(?:\.\w+)+", text):
                self.add(name)

    def add(self, name: str) -> None:
        """A dotted name: a package, what one exports (before a module of the same name), a module, or a part of one.

        Raises:
            CxrError: there is no such name.
        """
        owner, _, symbol = name.rpartition(".")
        if self._is_package(owner) and self._source_of(owner, symbol):
            self._export(owner, symbol)
        elif self._is_package(name) or self._file(name).is_file():
            self._follow(name)
        elif not owner or self._is_package(owner):
            raise CxrError(f"{owner or PACKAGE} exports no {symbol}, which a config or a module names.")
        else:
            self.add(owner)

    def third_party(self) -> set[str]:
        """Top-level names that the modules import and that are not of `scripts`."""
        names = {name.split(".")[0] for module in self.modules for name, _ in self._imports(module)}
        return names - {PACKAGE}

    def write(self, folder: Path) -> None:
        """Copies the modules into `folder/scripts`, with the files that are called like them (`page.html.jinja` of
        `page.py`), and each package with an `__init__` of what is used.
        """
        for name in sorted(self.modules):
            file = self._file(name)
            for beside in sorted(file.parent.glob(f"{file.stem}.*")):
                write_text_atomically(
                    beside.read_text(encoding="utf-8"), (folder / self._place(name)).with_name(beside.name)
                )
        for name in sorted(self.exports):
            write_text_atomically(self._init(name), folder / name.replace(".", "/") / "__init__.py")

    def _follow(self, module: str) -> None:
        if self._is_package(module):
            self._package(module)
        elif module not in self.modules:
            self.modules.add(module)
            self._package(module.rpartition(".")[0])
            for source, symbols in self._imports(module):
                if source.split(".")[0] == PACKAGE:
                    self._follow(source)
                    for symbol in symbols if self._is_package(source) else ():
                        self.add(f"{source}.{symbol}")

    def _package(self, name: str) -> None:
        if name not in self.exports:
            self.exports[name] = set()
            if "." in name:
                self._package(name.rpartition(".")[0])

    def _export(self, package: str, symbol: str) -> None:
        self._package(package)
        if symbol not in self.exports[package]:
            self.exports[package].add(symbol)
            source = self._source_of(package, symbol)
            self.add(f"{source}.{symbol}") if self._is_package(source) else self._follow(source)

    def _source_of(self, package: str, symbol: str) -> str:
        """Where a package's `__init__` imports a name from; "" = it does not."""
        return next((module for module, symbols in self._imports(package) if symbol in symbols), "")

    def _init(self, package: str) -> str:
        used = self.exports[package]
        text = f'"""{ast.get_docstring(self._tree(package)) or ""}"""\n'
        if used:
            found = [
                (module, [symbol for symbol in symbols if symbol in used]) for module, symbols in self._imports(package)
            ]
            lines = [
                f"from {module.removeprefix(package)} import {', '.join(names)}" for module, names in found if names
            ]
            names = "\n".join(f'    "{name}",' for name in sorted(used))
            text += "\n" + "\n".join(lines) + f"\n\n__all__ = [\n{names}\n]\n"
        return text

    def _imports(self, name: str) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Modules that are imported anywhere in a module or package, and the names taken from each."""
        package = name if self._is_package(name) else name.rpartition(".")[0]
        for node in ast.walk(self._tree(name)):
            if isinstance(node, ast.Import):
                yield from ((alias.name, ()) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                source = resolve_name("." * node.level + (node.module or ""), package)
                yield source, tuple(alias.name for alias in node.names)

    def _is_package(self, name: str) -> bool:
        return (self.root / name.replace(".", "/") / "__init__.py").is_file()

    def _place(self, name: str) -> str:
        return name.replace(".", "/") + ".py"

    def _file(self, name: str) -> Path:
        return self.root / self._place(name)

    def _tree(self, name: str) -> ast.Module:
        file = self.root / name.replace(".", "/") / "__init__.py" if self._is_package(name) else self._file(name)
        return ast.parse(file.read_text(encoding="utf-8"))


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _strings(part)
