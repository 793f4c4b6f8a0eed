"""One line of plain text from a part of a report."""

from __future__ import annotations

import re

from .marks import Unmarked, take_out_marks

_EMPTY = re.compile(r"[(\[]\s*[)\]]")  # brackets that a mark has left empty
_UNTIDY = tuple(
    (re.compile(pattern), left)
    for pattern, left in (
        (r" (?=[.,;:!?)\]])", ""),
        (r"[,;:]+(?=[.,;:!?])", ""),
        (r"([.!?])\1+", r"\1"),
    )
)
_FRONT = re.compile(r"^(?:[ ,;:*/-]|\.(?!\d))+")  # ".5 cm" keeps its point
_MISSING = frozenset({"", "nan", "none", "null", "na", "n/a", "<na>"})


def clean_text(text: object) -> str:
    """One line of plain text without de-identification marks.

    Args:
        text: a report or a part of it; whatever is no string (a table's NaN, None, NA) counts as missing, and so do
            the words that such a value turns into when a table is written as text ("nan", "None").

    Returns:
        The text, or "" when nothing with a letter in it is left.
    """
    return clean(text).text


def clean(text: object) -> Unmarked:
    """`clean_text`, with the number of sentences that were lost with their marks."""
    if not isinstance(text, str) or text.strip().rstrip(".").lower() in _MISSING:
        return Unmarked("", 0)
    text, dropped = take_out_marks(text)
    while (tidy := _tidy(text)) != text:  # taking one thing out can bring two others together
        text = tidy
    if not any(map(str.isalpha, text)):
        return Unmarked("", dropped)
    return Unmarked(text if text[-1] in "!?" else f"{text}.", dropped)


def _tidy(text: str) -> str:
    text = " ".join(_EMPTY.sub(" ", text).split())
    for pattern, left in _UNTIDY:
        text = pattern.sub(left, text)
    return _FRONT.sub("", text.rstrip(" ,;:.-/*"))
