"""Checkpoints and small files that are either whole or not there, and that say so when the disk is full."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from scripts.data.atomic import atomic_path
from scripts.errors import CxrError


@contextmanager
def writing(path: str | Path) -> Iterator[Path]:
    """Gives a temporary name that becomes `path` on a clean exit.

    Raises:
        CxrError: the disk is full or the folder cannot be written; the old file, if any, is untouched.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as part:
            yield part
    except (OSError, RuntimeError) as error:
        # torch.save reports a full disk as a RuntimeError of its own ("unexpected pos", "PytorchStreamWriter failed").
        full = isinstance(error, RuntimeError) or error.errno in (errno.ENOSPC, errno.EDQUOT)
        reason = "no space left on the disk" if full else str(error)
        raise CxrError(
            f"Could not write {path}: {reason}. The previous file is untouched; free space or change the folder."
        ) from error


def save_atomically(value: Any, path: str | Path) -> None:
    """`torch.save` of `value` under `path`."""
    with writing(path) as part:
        torch.save(value, part)


def write_text_atomically(text: str, path: str | Path) -> None:
    """A text file in UTF-8 under `path`."""
    with writing(path) as part:
        part.write_text(text, encoding="utf-8")
