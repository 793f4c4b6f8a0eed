"""What a cell's folder says of it: begun, trained, done, failed; so that a stopped sweep goes on where it was."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from scripts.atomic import write_text_atomically
from scripts.errors import CxrError

from .unit import Unit

Status = Literal["done", "skipped", "failed", "died"]
BEGUN, RECORD = "begun.json", "cell.json"


@dataclass(frozen=True)
class Record:
    """How a cell ended.

    Attributes:
        status: `done`; `skipped`, because it cannot be trained (no image, no positive); `failed`, with an error; `died`
            with its process.
        reason: of the last three, one line.
        seconds: of wall time, of this attempt.
        names: of the findings, masks or boxes.
        training: `images`, `patients`, and `positives` of each name among the training items.
        metrics: of the evaluation.
        value: the task's headline on the cell's own test images.
    """

    status: Status
    reason: str = ""
    seconds: float = 0.0
    names: tuple[str, ...] = ()
    training: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    value: float | None = None


def write_record(cell: Unit, record: Record) -> Record:
    """Written last of all files, and whole: its presence says that the cell has ended."""
    content = {"cell": cell.name, "made_from": cell.identity(), **asdict(record)}
    write_text_atomically(json.dumps(content, indent=1), cell.folder / RECORD)
    return record


def read_record(cell: Unit) -> Record | None:
    """How the cell ended, or None when it has not.

    Raises:
        CxrError: it is done, and was made from other data, weights or settings.
    """
    content = _read(cell.folder / RECORD)
    if content is None:
        return None
    made_from = content.pop("made_from")
    if made_from != cell.identity():
        if content["status"] != "done":
            return None
        raise CxrError(
            f"{cell.folder} was made with other {_differing(made_from, cell.identity())}. "
            "Choose another output folder, or delete that one."
        )
    content.pop("cell")
    return Record(**{**content, "names": tuple(content["names"])})


def begin(cell: Unit) -> dict[str, Any]:
    """Makes the cell's folder ready; gives what an attempt that was cut off has left: `{"trained": …}`, or nothing.

    What failed, or was begun with other settings, starts anew from an empty folder.
    """
    left = _read(cell.folder / BEGUN)
    ended = _read(cell.folder / RECORD)
    goes_on = left is not None and left["made_from"] == cell.identity() and (ended or {}).get("status") != "failed"
    if not goes_on and cell.folder.exists():
        shutil.rmtree(cell.folder)
    if not goes_on or left is None:
        left = {"trained": False}
        cell.folder.mkdir(parents=True)
        note(cell, left)
    (cell.folder / RECORD).unlink(missing_ok=True)
    return left


def note(cell: Unit, state: dict[str, Any]) -> None:
    """Keeps how far the cell is."""
    write_text_atomically(json.dumps({**state, "made_from": cell.identity()}, indent=1), cell.folder / BEGUN)


def _read(path: Path) -> dict[str, Any] | None:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise CxrError(f"{path} is damaged ({error}). Delete its folder; the cell is then trained again.") from error


def _differing(before: dict[str, Any], now: dict[str, Any]) -> str:
    """The settings that differ, with both values where they are short."""
    said = []
    for key in sorted({*before, *now}):
        if before.get(key) != now.get(key):
            values = f"{before.get(key)} → {now.get(key)}"
            said.append(f"{key} ({values})" if len(values) < 80 else key)
    return ", ".join(said)
