"""The one exception that is meant for people."""

from __future__ import annotations


class CxrError(Exception):
    """An error that a person can act on.

    One or two lines: what was wrong, where (file, row, config id) and what to do.
    """
