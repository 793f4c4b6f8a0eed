"""Files where they lie: in a folder, or in a zip or tar archive, which counts as a folder of its own name."""

from __future__ import annotations

import logging
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path, PurePosixPath

from scripts.errors import CxrError, UnreadableError

ZIP, TAR = (".zip",), (".tar", ".tar.gz", ".tgz")
MOST_BYTES = 2 * 2**30
"""Of one member as it is read: more is no radiograph and no report."""
DAMAGED = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, NotImplementedError, RuntimeError)
State = tuple[int, int]
logger = logging.getLogger(__name__)


def is_archive(path: Path) -> bool:
    """Whether a file is read as an archive, by its name."""
    return path.name.lower().endswith((*ZIP, *TAR))


def is_tar(path: Path) -> bool:
    """Whether it is one that can be read from its beginning to its end only."""
    return path.name.lower().endswith(TAR)


def split_path(path: str | Path) -> tuple[Path, str] | None:
    """The archive that a path goes through, and the member's name in it; None for a plain file.

    `SOURCE/train.zip/a/b.png` is the member `a/b.png` of `SOURCE/train.zip`.
    """
    path = Path(path)
    for parent in path.parents:
        if is_archive(parent) and parent.is_file():
            return parent, path.relative_to(parent).as_posix()
    return None


def members(archive: Path) -> frozenset[str]:
    """Names of an archive's files; those that point out of it are left out. A tar is read once through for them, and
    one that is damaged has the files before the damage, with a warning.

    Raises:
        CxrError: it is no archive.
    """
    return _members(archive, _state(archive))


@lru_cache(maxsize=64)
def _members(archive: Path, state: State) -> frozenset[str]:
    names: list[str] = []
    try:
        names += _tar_names(archive) if is_tar(archive) else _zip_names(archive)
    except (*DAMAGED, OSError) as error:
        raise CxrError(f"{archive} is no whole archive ({type(error).__name__}). Download it again.") from error
    plain = (PurePosixPath(name) for name in names)
    return frozenset(name.as_posix() for name in plain if not name.is_absolute() and ".." not in name.parts)


def _zip_names(archive: Path) -> list[str]:
    return [entry.filename for entry in _zip(archive).infolist() if not entry.is_dir()]


def _tar_names(archive: Path) -> list[str]:
    names: list[str] = []
    with tarfile.open(archive, "r|*") as tar:
        try:
            names.extend(member.name for member in tar if member.isfile())
        except DAMAGED:
            logger.warning("%s is cut off or damaged behind its first %d files; download it again", archive, len(names))
    return names


def exists(path: str | Path) -> bool:
    """Whether there is such a file, or such a member of an archive."""
    path = Path(path)
    if path.is_file():
        return True
    inside = split_path(path)
    return inside is not None and inside[1] in members(inside[0])


def read_bytes(path: str | Path) -> bytes:
    """Content of a file or of a member. One of a tar costs a pass through it: see `stream` for many.

    Raises:
        FileNotFoundError: there is none.
        UnreadableError: the archive is damaged there, encrypted, or holds more than `MOST_BYTES`.
    """
    inside = split_path(path)
    if inside is None:
        return Path(path).read_bytes()
    archive, name = inside
    if is_tar(archive):
        if (found := next(stream(archive, {name}), None)) is None:
            raise FileNotFoundError(name)
        return found[1]
    with _reading():
        return _from_zip(_zip(archive), name)


def stream(archive: Path, wanted: set[str]) -> Iterator[tuple[str, bytes]]:
    """Members of a tar with their content, in the order in which they lie there, in one pass.

    Raises:
        UnreadableError: the archive is damaged from here on.
    """
    with _reading(), tarfile.open(archive, "r|*") as tar:
        for member in tar:
            name = PurePosixPath(member.name).as_posix()
            if name in wanted and member.isfile() and (file := tar.extractfile(member)) is not None:
                yield name, _bounded(file.read(MOST_BYTES + 1))


@contextmanager
def local_file(path: str | Path, content: bytes | None = None) -> Iterator[Path]:
    """A file of the disk with the content of `path`: itself, or a temporary one for a member of an archive.

    Args:
        path: see `split_path`.
        content: of the member, where it has been read already.
    """
    if content is None and split_path(path) is None:
        yield Path(path)
        return
    with tempfile.NamedTemporaryFile(suffix=Path(path).suffix) as file:
        file.write(read_bytes(path) if content is None else content)
        file.flush()
        yield Path(file.name)


def _state(archive: Path) -> State:
    """Size and time of the last change: what is remembered of an archive holds while they do."""
    state = archive.stat()
    return state.st_size, state.st_mtime_ns


def _zip(archive: Path) -> zipfile.ZipFile:
    return _opened(archive, _state(archive))


@lru_cache(maxsize=8)
def _opened(archive: Path, state: State) -> zipfile.ZipFile:
    return zipfile.ZipFile(archive)


def _from_zip(archive: zipfile.ZipFile, name: str) -> bytes:
    try:
        entry = archive.getinfo(name)
    except KeyError:
        raise FileNotFoundError(name) from None
    if entry.file_size > MOST_BYTES:
        raise UnreadableError(f"it inflates to more than {MOST_BYTES >> 30} GiB")
    with archive.open(entry) as file:
        return _bounded(file.read(MOST_BYTES + 1))


def _bounded(content: bytes) -> bytes:
    if len(content) > MOST_BYTES:
        raise UnreadableError(f"it inflates to more than {MOST_BYTES >> 30} GiB")
    return content


@contextmanager
def _reading() -> Iterator[None]:
    try:
        yield
    except (UnreadableError, FileNotFoundError):
        raise
    except DAMAGED as error:
        raise UnreadableError(f"its archive is damaged or encrypted ({type(error).__name__})") from error
