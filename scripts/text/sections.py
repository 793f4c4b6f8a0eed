"""A full report split at its headings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from .headings import KNOWN, Heading, Section, heading_of, is_title
from .marks import PLACEHOLDER
from .markup import plain

_BANNER = "final report"
_NAME_BEFORE_COLON = re.compile(r"[A-Za-z][A-Za-z0-9 \t/&(),'-]*\Z")
_WORD = re.compile("[A-Za-z]{2}")
_WINDOW = 100  # characters before a colon in which its heading begins
_ALONE = re.compile(r"^[ \t]*(?P<name>[A-Z][A-Za-z /&(),-]{2,50})[ \t]*$", re.MULTILINE)
_NO_COLON = re.compile(
    r"^[ \t]*(?P<name>[A-Z][A-Z /&()]{2,40}[A-Z)])(?:[ \t]+|[ \t]*[-–—]+[ \t]*)(?=[A-Z][a-z]|[A-Z] [a-z]|\d+[.)])"
    r"|^[ \t]*(?P<dash>(?i:findings|impression|conclusion))[ \t]+[-–—]+[ \t]+",
    re.MULTILINE,
)
# What ends a section without a colon; and an addendum that replaces one: "IMPRESSION should read: ...".
_END = re.compile(
    r"^[ \t]*(?:WET READ|ADDENDUM)\b[ \t]*(?:[^\n:]*$)?|\bEND OF (?:IMPRESSION|REPORT)\b"
    r"|\bI have personally reviewed\b",
    re.MULTILINE,
)
_END_WORDS = ("WET READ", "ADDENDUM", "END OF", "personally reviewed")  # looked for first: ten times as cheap
_CORRECTION = re.compile(r"\b(findings|impression) should (?:now )?read(?: as follows)?:?", re.IGNORECASE)
# A blank line, a rule, or what is left of one where lines were joined: ". . ".
_PARAGRAPH = re.compile(r"\n[ \t]*(?:_{5,}[ \t]*)?\n\s*|^[ \t]*_{5,}[ \t]*$|(?<=\.)[ \t]+\.[ \t]+", re.MULTILINE)
_QUESTION = re.compile(
    r"\?\s*\Z|//"
    r"|\A\s*(?:question|evaluate|eval|evaluation|assess|assessment|rule out|r/o|please|concern for|indication)\b",
    re.IGNORECASE,
)
# A view's heading is often the title of the report, with no more under it than when the image was taken.
_WHEN = re.compile(
    r"\b(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\b|\b(?:at|on|of|dated|hours?|hrs|am|pm|[ap]\.m)\b|[^a-z]",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class _Found:
    start: int
    end: int
    heading: Heading


@dataclass(frozen=True)
class Split:
    """Raw text of the report's parts, "" for what it lacks; `rest` only where there is neither section."""

    findings: str = ""
    impression: str = ""
    rest: str = ""


def split_report(report: str, inside: Section = "other") -> Split:
    """Findings, impression, and in a report with neither the last paragraphs.

    Args:
        report: the full report, or what a column holds.
        inside: the section that the text begins in, for a column.

    Headings are known names in any case with a colon where a line or a sentence begins; misspelt, combined and longer
    names and views where a line begins; names alone on a line; and names in capitals anywhere. Other headings
    ("LUNGS:") belong to the section that they stand in. Nothing before the last FINAL REPORT counts, and of several
    sections of a name the last that says something does.

    `rest` is the text without banner and title, and without the paragraph that follows a heading of another kind
    (history, indication, technique, comparison, ...); never a question.
    """
    text = _after_banner(plain(report))
    found = [_Found(0, 0, Heading(inside)), *_headings(text, inside)]
    bounds = [heading.start for heading in found] + [len(text)]
    last = {"findings": "", "impression": ""}
    for heading, end in zip(found, bounds[1:], strict=True):
        body = text[heading.end : end]
        if heading.heading.section in last and _says_something(body, heading.heading.weak):
            last[heading.heading.section] = body
    return Split(**last) if any(last.values()) else Split(rest=_rest(text, found))


def _after_banner(text: str) -> str:
    """What follows the last banner that anything follows: in capitals, or alone on a line in any case."""
    small = text.lower() if len(text.lower()) == len(text) else text.replace(_BANNER.upper(), _BANNER)
    place = len(text)
    while (place := small.rfind(_BANNER, 0, place)) >= 0:
        end = place + len(_BANNER)
        line = text[text.rfind("\n", 0, place) + 1 : place], text[end:].partition("\n")[0]
        is_banner = text[place:end].isupper() or not (line[0].strip() or line[1].strip(" \t\r:"))
        if is_banner and _WORD.search(text, end):
            return text[end:].lstrip(":")
    return text


def _headings(text: str, inside: Section) -> list[_Found]:
    """Headings that open a section, in order: sub-headings left out."""
    candidates = sorted((*_with_colon(text), *_without_colon(text)), key=lambda found: (found.start, -found.end))
    kept: list[_Found] = []
    for found in candidates:
        if kept and found.start < kept[-1].end:
            continue
        inside = kept[-1].heading.section if kept else inside
        within = inside == "impression" or inside == found.heading.section
        if found.heading.weak and found.heading.section != "other" and inside != "other" and within:
            continue
        kept.append(found)
    return kept


def _with_colon(text: str) -> Iterator[_Found]:
    colon = text.find(":")
    while colon >= 0:
        line = max(text.rfind("\n", max(0, colon - _WINDOW), colon) + 1, colon - _WINDOW, 0)
        match = _NAME_BEFORE_COLON.search(text, line, colon)
        if match:
            name, start = match[0].rstrip(), match.start()
            before = text[line:start].rstrip(" \t*-•")
            opens_line = not before
            if heading := heading_of(name, fuzzy=opens_line or name.isupper()) if _begins(before) else None:
                yield _Found(start, colon + 1, heading)
            elif tail := _capital_tail(name):
                yield _Found(start + len(name) - len(tail), colon + 1, Heading(KNOWN[" ".join(tail.lower().split())]))
        colon = text.find(":", colon + 1)


def _begins(before: str) -> bool:
    return not before or before[-1] in ".!?:;"


def _capital_tail(name: str) -> str | None:
    """The longest known name in capitals at the end of a phrase: "lungs are clear IMPRESSION"."""
    for match in re.finditer(r"(?<!\S)[A-Z]", name):
        tail = name[match.start() :]
        if tail.isupper() and " ".join(tail.lower().split()) in KNOWN:
            return tail
    return None


def _without_colon(text: str) -> Iterator[_Found]:
    for match in _ALONE.finditer(text):
        name = match["name"].rstrip()
        above = text[max(0, match.start() - _WINDOW) : match.start()].rstrip(" \t")
        if name.isupper() or not above or above.endswith("\n\n") or above.rstrip()[-1:] in ".:?!":
            heading = heading_of(name, fuzzy=True)
            if heading and not heading.weak:
                yield _Found(match.start("name"), match.end(), heading)
    for match in _NO_COLON.finditer(text):
        if heading := heading_of(match["name"] or match["dash"]):
            yield _Found(match.start(), match.end(), heading)
    for match in _END.finditer(text) if any(word in text for word in _END_WORDS) else ():
        yield _Found(match.start(), match.end(), Heading("other"))
    for match in _CORRECTION.finditer(text) if "should" in text else ():
        yield _Found(match.start(), match.end(), Heading(KNOWN[match[1].lower()]))


def _says_something(body: str, is_view: bool) -> bool:
    body = PLACEHOLDER.sub(" ", body)
    return any(map(str.isalpha, _WHEN.sub("", body) if is_view else body))


def _rest(text: str, found: list[_Found]) -> str:
    """The paragraphs after the last heading's own, else after an earlier one's, else before the first."""
    bounds = [heading.start for heading in found] + [len(text)]
    for number in reversed(range(len(found))):
        body = text[found[number].end : bounds[number + 1]]
        paragraphs = [p for p in _PARAGRAPH.split(body) if any(map(str.isalpha, p))]
        own = paragraphs[1:] if number else paragraphs
        if kept := [p for p in own if not (_QUESTION.search(p) or is_title(p))]:
            return "\n\n".join(kept)
    return ""
