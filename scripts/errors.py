"""The exceptions that are meant for people."""

from __future__ import annotations

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
