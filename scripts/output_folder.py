"""Folders that a run writes to, looked at before the hours that it takes."""

from __future__ import annotations

import tempfile
from pathlib import Path

import ignite.distributed as idist

from .errors import CxrError, explain_os_error


def check_folder(folder: str | Path, switch: str) -> None:
    """Makes a folder, and a file in it that is gone again; all ranks call it, rank 0 does it.

    Args:
        folder: of files to come.
        switch: of the configuration that names it, for the message.

    Raises:
        CxrError: on every rank, when it cannot be made or written.
    """
    why = why_not_writable(Path(folder)) if idist.get_rank() == 0 else ""
    if idist.get_world_size() > 1:
        why = str(idist.broadcast(f".{why}", src=0)).removeprefix(".")  # an empty text cannot be sent
    if why:
        raise CxrError(f"Nothing can be written to {switch} {folder}: {why}")


def why_not_writable(folder: Path) -> str:
    """Why no file can be written into a folder, which is made; "" when one can."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".writable") as file:
            file.write(b"\0" * 4096)
            file.flush()
    except OSError as error:
        return explain_os_error(OSError(error.errno, error.strerror))
    return ""


def check_path(path: Path) -> None:
    """Looks, and makes nothing: whether a folder of this name could be.

    Raises:
        CxrError: the name, or one above it, is a file's.
    """
    for name in (path, *path.parents):
        if name.exists() and not name.is_dir():
            raise CxrError(f"{path}: {name} is a file, and a folder should be there. Choose another name.")
