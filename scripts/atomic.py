"""Files that appear whole or not at all, and that say so when the disk is full."""

from __future__ import annotations

import errno
import glob
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from .errors import CxrError


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give a temporary name beside `path`; on a clean exit it is flushed to disk and takes `path`'s name.

    A kill or an error inside the block leaves the old file as it was.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        sync(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def create_once(path: Path, content: bytes) -> bytes:
    """Content of `path`, which is first created (mode 600) when it is absent; of several racing processes one wins."""
    if not path.exists():
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            publish_once(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    return path.read_bytes()


def publish_once(temporary: Path, path: Path) -> None:
    """Give a finished file its name unless another process was first (replacing would take the file from under it)."""
    sync(temporary)
    try:
        path.hardlink_to(temporary)
    except FileExistsError:
        pass
    except OSError:  # a file system without hard links (exFAT, some network shares); the race is as wide as this line
        if not path.exists():
            temporary.replace(path)


def sync(path: Path) -> None:
    """Flush a file's content to the disk."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


# How torch.save says, as a RuntimeError, that the disk is full.
FULL_DISK = (
    "unexpected pos",
    "PytorchStreamWriter",
    "write failed",
    "enforce fail at inline_container",
    "iostream error",
)


@contextmanager
def writing(path: str | Path) -> Iterator[Path]:
    """Gives a temporary name that becomes `path` on a clean exit.

    Raises:
        CxrError: the disk is full or the folder cannot be written; the old file, if any, is untouched. Any other error
            of the block passes as it is.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Each kill in the middle of a save leaves a part behind, and those of a large model would fill the disk.
        for leftover in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
            leftover.unlink(missing_ok=True)
        with atomic_path(path) as part:
            yield part
    except (OSError, RuntimeError) as error:
        if isinstance(error, RuntimeError):
            full = any(words in str(error) for words in FULL_DISK)
            if not full:
                raise
        else:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        reason = "no space left on the disk" if full else str(error)
        raise CxrError(
            f"Could not write {path}: {reason}. The previous file is untouched; free space or change the folder."
        ) from error


def save_atomically(value: Any, path: str | Path) -> None:
    """`torch.save` of `value` under `path`: equal values give equal bytes."""
    # Given a path, torch names the archive's folder after it: here after a temporary file with the process in its name.
    with writing(path) as part, part.open("wb") as file:
        torch.save(value, file)


def write_text_atomically(text: str, path: str | Path) -> None:
    """A text file in UTF-8 under `path`."""
    with writing(path) as part:
        part.write_text(text, encoding="utf-8")
