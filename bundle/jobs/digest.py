"""What a file holds, in a word."""

from __future__ import annotations

import hashlib
from pathlib import Path

from scripts.data.prepared import PreparedFolder


def digest(path: Path) -> str:
    """Of a file, or of all files of a folder; "" when there is none."""
    found = hashlib.blake2b(digest_size=16)
    files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    for file in files:
        if file.is_file():
            found.update(file.name.encode())
            with file.open("rb") as content:
                while part := content.read(1 << 20):
                    found.update(part)
    return found.hexdigest()


def table_of(data: str) -> Path:
    """The table of a data set: of a folder that prepare made, or the file itself."""
    return PreparedFolder(Path(data)).studies if Path(data).is_dir() else Path(data)
