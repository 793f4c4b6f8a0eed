"""What is known of a public data set before it is opened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

NO_PATIENT = "it names no patient: each image counts as one"
"""Note of a set that does not say whose its images are."""


@dataclass(frozen=True)
class Expected:
    """Counts that the owner, or a paper, gives for one version of a data set.

    Args:
        images, patients: None where nobody says.
        source: who says so.
    """

    images: int | None
    patients: int | None
    source: str


@dataclass(frozen=True)
class Facts:
    """A data set: where it comes from, what it holds, and what is to be known of it.

    Args:
        name: of its layout, `python -m bundle prepare NAME`.
        title: as it is called.
        url: where to get it.
        licence: its terms in a few words.
        citation: of its paper.
        size: of the download.
        files: names of the files that it wants, as downloaded; what can be missing stands in brackets.
        expected: counts by version.
        policy: how its labels are meant and what published protocols make of them, with the source.
        names: findings, as the set spells them.
        known_bad: name of an image → why it is known to be unusable, with the source.
        contains: data sets of which it holds images, by `name`; `nih` for RSNA's, which are NIH's.
        overlap: what else it shares with others, in a sentence.
    """

    name: str
    title: str
    url: str
    licence: str
    citation: str
    size: str
    files: tuple[str, ...]
    expected: Mapping[str, Expected] = field(default_factory=dict)
    policy: str = ""
    names: tuple[str, ...] = ()
    known_bad: Mapping[str, str] = field(default_factory=dict)
    contains: tuple[str, ...] = ()
    overlap: str = ""

    def record(self) -> dict[str, Any]:
        """What later stages need to know, as plain JSON values: it stands in `prepare.json`."""
        counts = {version: vars(expected) for version, expected in self.expected.items()}
        kept = ("name", "title", "url", "licence", "citation", "policy", "overlap")
        return {**{key: getattr(self, key) for key in kept}, "contains": list(self.contains), "expected": counts}


def counts_note(facts: Facts, images: int, patients: int) -> str:
    """The counts that are expected, beside those that were found; never an error, for a part of a set is a set."""
    expected = [
        f"{version}: {_count(counts.images)} images of {_count(counts.patients)} patients ({counts.source})"
        for version, counts in facts.expected.items()
    ]
    return f"expected {'; '.join(expected) or 'nothing known'}. Found {images:,} images of {patients:,} patients."


def _count(number: int | None) -> str:
    return "?" if number is None else f"{number:,}"
