"""Which images are done: a line of JSON each, appended as they finish; a killed run continues from there."""

from __future__ import annotations

import json
import os
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any

from scripts.errors import CxrError

JOURNAL = "journal"


def has_rows(folder: Path) -> bool:
    """Whether an earlier run has finished a row in an output folder."""
    for path in (folder / JOURNAL).glob("*.jsonl"):
        with path.open("rb") as file:
            if len(list(islice(file, 2))) == 2:
                return True
    return False


class Journal:
    """Append-only record of a store's finished rows: `{row: facts}`.

    The first line says what the rows were made from, and another input or setting is refused. A kill can tear the
    last line only; a torn line counts as not written. Each shard has a file of its own, and all are read.

    Args:
        folder: the output folder; the files lie in its `journal/`.
        made_from: fingerprint of the images and settings, as plain JSON values.
        shard: name of this run's file.

    Raises:
        CxrError: when the folder was begun from something else; the message names what differs.
    """

    def __init__(self, folder: Path, made_from: dict[str, Any], shard: str = "all") -> None:
        self.rows: dict[int, dict[str, Any]] = {}
        directory = folder / JOURNAL
        directory.mkdir(exist_ok=True)
        made_from = json.loads(json.dumps(made_from))
        own = directory / f"{shard}.jsonl"
        for path in sorted(directory.glob("*.jsonl")):
            content = path.read_bytes()
            whole = content[: content.rfind(b"\n") + 1]
            if path == own and whole != content:
                os.truncate(path, len(whole))
            self._read(path, whole, made_from)
        self._file = own.open("a", encoding="utf-8")
        if not own.stat().st_size:
            self._write(made_from)

    def add(self, row: int, facts: dict[str, Any]) -> None:
        """Record a row whose pixels are written; it reaches the operating system at once, so a kill cannot lose it."""
        self.rows[row] = facts
        self._write({"row": row, **facts})

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def _write(self, entry: dict[str, Any]) -> None:
        self._file.write(json.dumps(entry) + "\n")
        self._file.flush()

    def _read(self, path: Path, whole: bytes, made_from: dict[str, Any]) -> None:
        header, *entries = [json.loads(line) for line in whole.splitlines()] or [made_from]
        differing = [key for key in made_from if header.get(key) != made_from[key]]
        if differing:
            changes = ", ".join(f"{key} {header.get(key)} → {made_from[key]}" for key in differing)
            raise CxrError(
                f"{path.parent.parent} was begun from other input or settings ({changes}). "
                "Choose another output folder, or delete this one."
            )
        self.rows.update({entry.pop("row"): entry for entry in entries})
