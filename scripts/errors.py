"""The exceptions that are meant for people."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager


class CxrError(Exception):
    """An error that a person can act on.

    One or two lines: what was wrong, where (file, row, config id) and what to do.
    """


class SettingError(CxrError):
    """A wrong setting that was found while reading one item; every other item would fail in the same way."""


class UnreadableError(ValueError):
    """Why a file is not a readable radiograph, in our own words.

    The reason goes into tables, logs and predictions, so it quotes nothing that the file holds: one flipped bit in a
    header makes a size or a code of what was a name. Numbers that were read as numbers and names of known UIDs may be
    in it. The file's name is not; the caller knows it.
    """


@contextmanager
def reading(part: str) -> Iterator[None]:
    """Whatever other libraries raise inside becomes "<part> cannot be read", because their messages quote the file.

    Raises:
        UnreadableError: our own as they are, all others by their kind. MemoryError passes: it is no fault of the file.
    """
    try:
        yield
    except (UnreadableError, MemoryError):
        raise
    except Exception as error:
        raise UnreadableError(f"{part} cannot be read ({type(error).__name__})") from None


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """The exception and what it was raised from, outermost first."""
    seen = set()  # a cause that is raised again has itself among its contexts
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def innermost(error: BaseException) -> BaseException:
    """The first cause; MONAI wraps each error of a transform in a RuntimeError of its own."""
    *_, first = causes(error)
    return first


def first_line(error: BaseException) -> str:
    """First line of a message, with the next one where it ends in a colon; the kind of an error without a message."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return " ".join(lines[:2]) if lines[0].endswith(":") else lines[0]


_MEANING = {
    errno.ENOSPC: "no space is left on the disk: free some, or choose another folder",
    errno.EDQUOT: "your share of the disk is used up: free some, or choose another folder",
    errno.EFBIG: "a file may not become so large here (ulimit -f, or the file system): choose another folder",
    errno.EROFS: "it can be read only: choose another folder",
    errno.EACCES: "you have no right to it: change that, or choose another folder",
    errno.EPERM: "you have no right to it: change that, or choose another folder",
    errno.EEXIST: "there is a file of that name where a folder should be: choose another name",
    errno.ENOTDIR: "there is a file where a folder should be: choose another name",
    errno.EISDIR: "it is a folder, and a file should be there",
    errno.ENOENT: "it is not there, or not any more",
    errno.EMFILE: "too many files are open at once (ulimit -n): use fewer workers",
}


def explain_os_error(error: OSError) -> str:
    """What an error of the file system means: which path, what is wrong, what to do."""
    meaning = _MEANING.get(error.errno or 0) or error.strerror or str(error) or type(error).__name__
    return f"{error.filename}: {meaning}." if error.filename else f"{meaning[0].upper()}{meaning[1:]}."
