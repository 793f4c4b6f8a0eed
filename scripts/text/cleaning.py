"""Radiology report text: de-identification marks out, sections found, the parts that training reads joined."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence

from scripts.errors import CxrError

# Which headings open the two sections that describe the image.
_ALIASES = {
    "findings": ("findings", "finding", "imaging findings", "imaging notes"),
    "impression": ("impression", "impressions", "conclusion", "conclusions", "findings and impression"),
}
# Headings that only end a section. Any other line that begins with capitals and a colon does so, too.
_OTHERS = (
    *("addendum", "case discussion", "clinical details", "clinical history", "clinical indication"),
    *("clinical information", "comparison", "comparisons", "discussion", "exam", "examination", "final report"),
    *("history", "indication", "indications", "notification", "presentation", "procedure", "reason for exam"),
    *("reason for examination", "recommendation", "recommendations", "recommendation(s)", "technique", "wet read"),
)
_SECTION_OF = {alias: section for section, aliases in _ALIASES.items() for alias in aliases}


def _any_of(names: Iterable[str]) -> str:
    """Alternation, longest first, in which a space matches any run of white space."""
    return "|".join(re.escape(name).replace(r"\ ", r"\s+") for name in sorted(names, key=len, reverse=True))


_KNOWN = (*_SECTION_OF, *_OTHERS)
_HEADING = re.compile(
    rf"(?:^|(?<=[.!?\n]))[ \t]*(?P<known>(?i:{_any_of(_KNOWN)}))\s*:"  # where a line or a sentence begins: in any case
    rf"|(?<!\S)(?P<capitals>{_any_of(name.upper() for name in _KNOWN)})\s*:"  # in the middle of one: capitals only
    r"|^[ \t]*(?P<unknown>[A-Z][A-Z /&(),-]{2,48})[ \t]*:",
    re.MULTILINE,
)
# MIMIC-CXR "___", MIMIC-III "[** ... **]", Indiana University "XXXX"; with the hyphens that glue them to a word.
_PLACEHOLDER = re.compile(r"[-/]?(?:\[\*\*.*?\*\*\]|_{3,}|X{3,})(?:'s\b|[-/])?", re.DOTALL)
_MISSING = frozenset({"", "nan", "none", "null", "na", "n/a", "<na>"})


def text_key(text: str) -> str:
    """Name of a text in the text store: its 128-bit BLAKE2b hash in hexadecimal, so that the store holds no report.

    Raises:
        CxrError: the text is a missing value, not a string.
    """
    if not isinstance(text, str):
        raise CxrError(f"A report is {text!r}, not text: leave out studies without a report (`prepare` marks them).")
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def clean_text(text: object) -> str:
    """One line of plain text without de-identification marks.

    Args:
        text: a report or a part of it; whatever is no string (a table's NaN, None, NA) counts as missing, and so do
            the words that such a value turns into when a table is written as text ("nan", "None").

    Returns:
        The text, or "" when nothing with a letter in it is left.
    """
    if not isinstance(text, str) or text.strip().rstrip(".").lower() in _MISSING:
        return ""
    while (tidy := _tidy(text)) != text:  # taking one thing out can bring two others together
        text = tidy
    if not any(character.isalpha() for character in text):
        return ""
    return text if text[-1] in "!?" else f"{text}."


def _tidy(text: str) -> str:
    text = _PLACEHOLDER.sub(" ", text)
    text = re.sub(r"[(\[]\s*[)\]]", " ", text)  # brackets that a mark has left empty
    text = re.sub(r"\s+", " ", text)
    text = re.sub(r" (?=[.,;:!?)\]])", "", text)
    text = re.sub(r"[,;:]+(?=[.,;:!?])", "", text)
    text = re.sub(r"([.!?])\1+", r"\1", text).rstrip(" ,;:.-/*")
    return re.sub(r"^(?:[ ,;:*/-]|\.(?!\d))+", "", text)  # ".5 cm" keeps its point


def report_sections(report: object) -> dict[str, str]:
    """Split a full report at its headings.

    Headings are known names ("FINDINGS:", "Impression:", "Imaging Notes:", ...) where a line or a sentence begins,
    known names in capitals anywhere, and unknown names in capitals where a line begins.

    Args:
        report: the full report; missing values have no section.

    Returns:
        Cleaned text of those of "findings" and "impression" that exist. A section that comes twice is joined.
    """
    if not isinstance(report, str):
        return {}
    headings = list(_HEADING.finditer(report))
    bounds = [heading.start() for heading in headings] + [len(report)]
    parts: dict[str, list[str]] = {}
    for heading, end in zip(headings, bounds[1:], strict=True):
        name = " ".join((heading["known"] or heading["capitals"] or heading["unknown"]).lower().split())
        if name in _SECTION_OF and (text := clean_text(report[heading.end() : end])):
            parts.setdefault(_SECTION_OF[name], []).append(text)
    return {section: " ".join(texts) for section, texts in parts.items()}


def report_text(
    *,
    findings: object = None,
    impression: object = None,
    report: object = None,
    sections: Sequence[str] = ("impression", "findings"),
) -> str:
    """The text of a study that pre-training reads.

    Each wanted section is taken from its own column, else from the report's headings. When neither gives any, the whole
    report is used. M-FLAG's order is the default; its authors join the two without a separator, which glues two words.

    Args:
        findings: text of the findings; NaN, None and NA are missing.
        impression: text of the impression; likewise.
        report: the full report; likewise.
        sections: which of "impression" and "findings" are wanted, in this order.

    Returns:
        One line of text; "" when there is nothing usable.
    """
    columns = {"findings": clean_text(findings), "impression": clean_text(impression)}
    parsed = report_sections(report)
    parts = [columns[section] or parsed.get(section, "") for section in sections]
    return " ".join(part for part in parts if part) or clean_text(report)
