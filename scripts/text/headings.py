"""Names of report sections: which heading opens which section.

The facts are those of MIT-LCP's parser of MIMIC-CXR reports (github.com/MIT-LCP/mimic-cxr, txt/section_parser.py),
which counts the headings of 227,835 reports. Misspellings, which it lists, are found by edit distance here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from .grammar import words_of

Section = Literal["findings", "impression", "other"]

_NAMES: dict[Section, tuple[str, ...]] = {
    "findings": ("findings", "finding", "imaging findings", "imaging notes", "radiographic findings"),
    "impression": ("impression", "impressions", "conclusion", "conclusions", "interpretation", "opinion"),
    # What is not about this image, and so ends a section.
    "other": (
        *("accession number", "addendum", "approved by", "attending", "attestation", "case discussion", "cc"),
        *("clinical data", "clinical details", "clinical findings", "clinical history", "clinical impression"),
        *("clinical indication", "clinical information", "clinical question", "comment", "comments", "comparison"),
        *("comparison exam", "comparison film", "comparisons", "date", "date of exam", "date of study", "dictated by"),
        *("discussion", "dose", "electronically signed by", "end of impression", "end of report", "exam"),
        *("examination", "final report", "history", "indication", "indications", "notification", "patient history"),
        *("pfi", "presentation", "procedure", "procedure comments", "reason", "reason for exam"),
        *("reason for examination", "reason for study", "reason for this examination", "recommendation"),
        *("recommendations", "recommendation(s)", "reference exam", "reported by", "signed by", "study", "summary"),
        *("technique", "transcribed by", "type of examination", "wet read", "wetread"),
    ),
}
KNOWN: dict[str, Section] = {name: section for section, names in _NAMES.items() for name in names}
# In the middle of a longer name in capitals ("PRELIMINARY FINDINGS", "PAST MEDICAL HISTORY"); the first decides.
_INSIDE: dict[str, Section] = {
    **{"impression": "impression", "findings": "findings"},
    **dict.fromkeys(("history", "comparison", "addendum", "indication"), "other"),
}
_PARTS = re.compile(r"\s*(?:/|,|&|\band\b|\bor\b)\s*")
# A name in capitals that holds one of these describes the study as a whole, and its text is the findings.
_VIEW = re.compile(
    r"\b(?:chest|portable|(?:pa|ap|lateral) and (?:pa|ap|lateral|lat)|frontal and|(?:one|two|1|2) views?"
    r"|(?:frontal|pa|ap|lateral) view|bone window|frontal (?:semi-)?upright|ribs)\b"
)
# In lower case, a name made of these words alone.
_VIEW_WORDS = frozenset(
    words_of(
        "a and ap bedside chest cxr erect film films frontal lat lateral of one pa portable radiograph radiographs "
        "semi-upright single supine the three two upright view views x-ray xray 1 2 3"
    )
)
_LONGEST = 60


@dataclass(frozen=True)
class Heading:
    """What a heading opens. A `weak` one is a sub-heading when it stands inside the findings or the impression."""

    section: Section
    weak: bool = False


@lru_cache(maxsize=1 << 14)
def heading_of(name: str, fuzzy: bool = False) -> Heading | None:
    """Section that a heading opens, None for a name that opens none ("LUNGS", "SUPPORT DEVICES", "There is").

    Args:
        name: as it stands in the report, without its colon.
        fuzzy: also take misspellings, combined and longer names, and views: for names where a line begins.
    """
    if len(name) > _LONGEST:
        return None
    plain = " ".join(name.lower().split()).strip(" .-")
    if plain in KNOWN:
        return Heading(KNOWN[plain])
    parts = [part for part in _PARTS.split(plain) if part]
    sections = [KNOWN.get(part) or (_misspelt(part) if fuzzy else None) for part in parts]
    if sections and all(sections):  # of "findings and impression" the impression wins, as for MIT-LCP
        return Heading(next(s for s in ("impression", "findings", "other") if s in sections))
    if not fuzzy:
        return None
    words = plain.split()
    if name.isupper():
        for word, section in _INSIDE.items():
            if word in words or (section != "other" and word in parts):
                return Heading(section, weak=True)
    if (name.isupper() and _VIEW.search(plain)) or _is_view(words):
        return Heading("findings", weak=True)
    return None


def is_title(text: str) -> bool:
    """Whether a paragraph only names the examination ("CHEST RADIOGRAPH", "Portable AP chest")."""
    return _is_view(re.findall(r"[\w-]+", text.lower()))


def _is_view(words: list[str]) -> bool:
    bare = [word.strip("(),") for word in words]
    return bool({"chest", "view", "views", "cxr"} & set(bare)) and all(not w or w in _VIEW_WORDS for w in bare)


def _misspelt(name: str) -> Section | None:
    """Section of the known name that is one slip away, from eight letters on two."""
    for known, section in KNOWN.items():
        slips = 0 if len(known) < 6 else 1 if len(known) < 8 else 2
        if abs(len(known) - len(name)) <= slips and _distance(name, known) <= slips:
            return section
    return None


def _distance(a: str, b: str) -> int:
    """Edit distance with swaps of neighbours (optimal string alignment; Damerau 1964)."""
    before: list[int] = []
    last = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        row = [i]
        for j, y in enumerate(b, 1):
            row.append(min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (x != y)))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                row[j] = min(row[j], before[j - 2] + 1)
        before, last = last, row
    return last[-1]
