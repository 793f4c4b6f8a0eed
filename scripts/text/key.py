"""Name of a text in the text store."""

from __future__ import annotations

import hashlib

from ..errors import CxrError


def text_key(text: str) -> str:
    """Name of a text in the text store: its 128-bit BLAKE2b hash in hexadecimal, so that the store holds no report.

    Raises:
        CxrError: the text is a missing value, not a string.
    """
    if not isinstance(text, str):
        raise CxrError(f"A report is {text!r}, not text: leave out studies without a report (`prepare` marks them).")
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
