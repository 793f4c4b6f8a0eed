"""The exceptions that are meant for people."""

from __future__ import annotations


class CxrError(Exception):
    """An error that a person can act on.

    One or two lines: what was wrong, where (file, row, config id) and what to do.
    """


class SettingError(CxrError):
    """A wrong setting that was found while reading one item; every other item would fail in the same way."""
