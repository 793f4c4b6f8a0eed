"""Files that are either whole or not there: a kill at any moment leaves the old file or the new one."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import torch

from scripts.errors import CxrError


def write_atomically(path: str | Path, write: Callable[[IO[bytes]], Any]) -> None:
    """Calls `write` with a binary file beside `path`, flushes it to the disk, and moves it over `path`.

    Raises:
        CxrError: the disk is full or the folder cannot be written; the old file, if any, is untouched.
    """
    path = Path(path)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        _flush_folder(path.parent)
    except (OSError, RuntimeError) as error:
        part.unlink(missing_ok=True)
        # torch.save reports a full disk as a RuntimeError of its own ("unexpected pos", "PytorchStreamWriter failed").
        full = isinstance(error, RuntimeError) or error.errno in (errno.ENOSPC, errno.EDQUOT)
        reason = "no space left on the disk" if full else error.strerror
        raise CxrError(f"Could not write {path}: {reason}. The previous file is untouched; free space or change the folder.") from error


def save_atomically(value: Any, path: str | Path) -> None:
    """`torch.save` through `write_atomically`."""
    write_atomically(path, lambda file: torch.save(value, file))


def _flush_folder(folder: Path) -> None:
    """Makes the rename itself durable; Windows has no such call and needs none."""
    if os.name != "nt":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
