"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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


def sync(path: Path) -> None:
    """Flush a file's content to the disk."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())
