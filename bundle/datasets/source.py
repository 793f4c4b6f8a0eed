"""The folder that a person has downloaded: its tables, its images and its reports, found by their names."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from functools import cached_property
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from scripts.data.table_file import read_table
from scripts.errors import CxrError
from scripts.radiograph.file_kind import DICOM_SUFFIXES, PICTURE_SUFFIXES

from .archive import exists, is_archive, local_file, members, read_bytes
from .facts import Facts

DEPTH = 3
"""Folders below SOURCE in which tables are looked for: images lie deeper, and are many."""
IMAGE_SUFFIXES = (*DICOM_SUFFIXES[1:], *PICTURE_SUFFIXES)


class Source:
    """A data set as downloaded, nothing renamed: what lies in a zip or tar counts as lying in a folder of its name.

    Args:
        path: the folder; or one archive.
        facts: of the set; messages say what it wants, and where that is to be had.

    Raises:
        CxrError: there is no such folder.
    """

    def __init__(self, path: str | Path, facts: Facts | None = None) -> None:
        self.path, self.facts = Path(path).resolve(), facts
        if not (self.path.is_dir() or (self.path.is_file() and is_archive(self.path))):
            raise CxrError(f"{path}: no such folder (or archive){self._wanted()}.")

    def find(self, *patterns: str) -> Path | None:
        """The first file whose name, or end of the path, is like the first pattern that any is like; upper or lower
        case. `*` as in file names. Tables lie at most `DEPTH` folders down.
        """
        return next((path for pattern in patterns for path in self._like(pattern)), None)

    def require(self, *patterns: str) -> Path:
        """`find`, or a CxrError that says which files the set has."""
        if (path := self.find(*patterns)) is None:
            raise CxrError(f"{self.path}: no file {' or '.join(patterns)}{self._wanted()}.")
        return path

    def table(self, *patterns: str) -> pd.DataFrame:
        """The table that `require` finds, as texts; see `read_table`."""
        return self.read_table(self.require(*patterns))

    def read_table(self, path: Path) -> pd.DataFrame:
        """A table of a file or of a member of an archive.

        Raises:
            CxrError: it is no table.
        """
        with local_file(path) as file:
            try:
                return read_table(file)
            except CxrError as error:
                raise CxrError(str(error).replace(str(file), str(path))) from error

    def text(self, path: str | Path) -> str | None:
        """Content of a text file (UTF-8, or Latin-1 where it is none), None where there is none."""
        try:
            content = read_bytes(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        try:
            return content.decode("utf-8-sig")
        except UnicodeDecodeError:
            return content.decode("latin-1")

    def json(self, path: Path) -> Any:
        """Content of a JSON file.

        Raises:
            CxrError: it is none.
        """
        return parse_json(self.text(path) or "", str(path))

    @cached_property
    def files(self) -> list[Path]:
        """Every file, those in archives in their places, in the order of their names."""
        if self.path.is_file():
            return [self.path / name for name in sorted(members(self.path))]
        found: list[Path] = []
        for folder, folders, names in os.walk(self.path):
            folders.sort()
            for name in sorted(names):
                if name.startswith("."):  # what a Mac leaves beside each file
                    continue
                path = Path(folder, name)
                found += [path / member for member in sorted(members(path))] if is_archive(path) else [path]
        return found

    def by_name(self, suffixes: Sequence[str] = IMAGE_SUFFIXES, under: str = "") -> NameIndex:
        """Places of the files with these suffixes, by their names.

        Args:
            suffixes: lower case, with their dots; "" keeps names without one.
            under: keep those only with this text in their path below SOURCE.
        """
        names = (path for path in self.files if path.suffix.lower() in suffixes and "__MACOSX" not in path.parts)
        return NameIndex(path for path in names if under in path.relative_to(self.path).as_posix())

    def images(self, names: Iterable[str], suffixes: Sequence[str] = IMAGE_SUFFIXES, under: str = "") -> list[str]:
        """Paths of images by their names; of one that is not there the path that says so later, as a missing file."""
        places = self.by_name(suffixes, under)
        return [str(places[name] or self.path / name) for name in names]

    def base(self, relative: Sequence[str], most: int = 50) -> tuple[Path, int]:
        """The folder that paths of a table start from, and how many of their first parts it has swallowed.

        CheXpert's `CheXpert-v1.0-small/train/…` may lie below SOURCE, in an archive of it, or SOURCE itself is that
        folder, perhaps renamed.

        Args:
            relative: paths as the table has them; `most` of them, evenly, are looked for.

        Raises:
            CxrError: none is found.
        """
        step = max(1, len(relative) // most)
        some = [PurePosixPath(name) for name in islice(relative[::step], most)]
        places = [self.path, *(path for path in self._shallow(2) if is_archive(path) or path.is_dir())]
        for dropped in range(3):
            for place in places:
                if any(exists(place.joinpath(*path.parts[dropped:])) for path in some if len(path.parts) > dropped):
                    return place, dropped
        raise CxrError(f"none of the {len(relative)} images that the table names is below {self.path}{self._wanted()}.")

    def _like(self, pattern: str) -> Iterator[Path]:
        for path in self._shallow(DEPTH):
            inside = [path / name for name in sorted(members(path))] if is_archive(path) and path.is_file() else []
            for candidate in (path, *inside):
                name = candidate.relative_to(self.path).as_posix().lower()
                if fnmatchcase(name, pattern.lower()) or fnmatchcase(name, f"*/{pattern.lower()}"):
                    yield candidate

    def _shallow(self, depth: int) -> Iterator[Path]:
        """Files and folders, the nearest first; archives after the files of all depths, for listing one takes time."""
        if self.path.is_file():
            yield self.path
            return
        level, archives = [self.path], []
        for _ in range(depth):
            entries = [entry for folder in level for entry in sorted(folder.iterdir()) if entry.name[0] != "."]
            archives += [entry for entry in entries if is_archive(entry) and entry.is_file()]
            yield from (entry for entry in entries if not is_archive(entry))
            level = [entry for entry in entries if entry.is_dir()]
        yield from archives

    def _wanted(self) -> str:
        facts = self.facts
        return f"; {facts.title} has {', '.join(facts.files)} ({facts.url})" if facts else ""


def parse_json(text: str, where: str) -> Any:
    """Content of a JSON text; a CxrError that says where, and not what, for another."""
    try:
        return json.loads(text)
    except ValueError as error:
        raise CxrError(f"{where} is no JSON ({type(error).__name__}). Download it again.") from error


class NameIndex:
    """Where files lie, by name; a name that several files have leads to none.

    Args:
        paths: of the files.
    """

    def __init__(self, paths: Iterable[Path]) -> None:
        found = list(paths)
        counts = Counter(path.name for path in found)
        self.places = {path.name: path for path in found if counts[path.name] == 1}
        self.stems = {path.stem: path for path in self.places.values()}
        self.ambiguous = sum(count > 1 for count in counts.values())

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, name: str) -> Path | None:
        """The file of that name; or, where none is, of that stem: tables leave suffixes out, or have another."""
        return self.places.get(name) or self.stems.get(name) or self.stems.get(PurePosixPath(name).stem)
