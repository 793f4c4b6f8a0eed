"""The text of a study that pre-training reads, from a full report or from its parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .cleaning import clean
from .headings import KNOWN
from .marks import Unmarked
from .markup import plain
from .sections import Split, split_report


@dataclass(frozen=True)
class Report:
    """Text of a study, which sections it was made of ("neither": of the rest of the report; "": no text), and how many
    sentences were dropped with their de-identification marks.
    """

    text: str = ""
    source: str = ""
    dropped: int = 0


def read_report(
    *,
    findings: object = None,
    impression: object = None,
    report: object = None,
    sections: Sequence[str] = ("impression", "findings"),
) -> Report:
    """The text of a study that pre-training reads.

    Each wanted section is taken from its own column, else from the report's headings. When neither gives any, the last
    paragraphs of the report are used. M-FLAG's order is the default; its authors join the two without a separator,
    which glues two words.

    Args:
        findings: text of the findings; NaN, None and NA are missing.
        impression: text of the impression; likewise.
        report: the full report; likewise.
        sections: which of "impression" and "findings" are wanted, in this order.
    """
    split = split_report(report) if isinstance(report, str) else Split()
    parts: dict[str, Unmarked] = {}
    for name in sections:
        column = clean(_own(findings if name == "findings" else impression, name))
        part = Unmarked("", 0) if column.text else clean(getattr(split, name))
        parts[name] = Unmarked(column.text or part.text, column.dropped + part.dropped)
    if not any(part.text for part in parts.values()):
        parts["neither"] = clean(split.rest)
    named = [name for name, part in parts.items() if part.text]
    source = "both" if len(named) > 1 else named[0] if named else ""
    return Report(" ".join(parts[name].text for name in named), source, sum(part.dropped for part in parts.values()))


def report_text(**given: object) -> str:
    """Text of `read_report`, which takes the same arguments: one line, "" when there is nothing usable."""
    return read_report(**given).text  # type: ignore[arg-type]


def report_sections(report: object) -> dict[str, str]:
    """Cleaned text of those of "findings" and "impression" that a full report has; a missing value has none."""
    split = split_report(report) if isinstance(report, str) else Split()
    parts = {"findings": clean(split.findings).text, "impression": clean(split.impression).text}
    return {name: text for name, text in parts.items() if text}


def _own(cell: object, section: str) -> object:
    """A column's text; where it holds headings of its own, what stands under the column's."""
    return (
        (getattr(split_report(cell, inside=KNOWN[section]), section) or plain(cell)) if isinstance(cell, str) else cell
    )
