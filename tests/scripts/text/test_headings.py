"""Section names, against the table of MIT-LCP's parser (txt/section_parser.py at 3190146)."""

from __future__ import annotations

import pytest

from scripts.text.headings import Heading, heading_of

# Its misspellings, all seen in MIMIC-CXR. It reads the one "NDICATION" as an impression; by its letters it is none.
IMPRESSION = "IMPRESSON IMPRRESSION IMORESSION IMPRESSOIN IMPRSSION IMPRESION IMPERSSION MPRESSION IMPESSION"
FINDINGS = "FINDING FINDINS FINDINDGS FINDGINGS FINDNGS FINDNINGS FINIDNGS"
OTHER = "IDICATION NDICATION COMPARISION COMPARSION COMPARRISON COMPARISIONS WETREAD"


@pytest.mark.parametrize(
    ("name", "section"),
    [
        *((name, "impression") for name in IMPRESSION.split()),
        *((name, "findings") for name in FINDINGS.split()),
        *((name, "other") for name in OTHER.split()),
        ("CONCLUSION", "impression"),
        ("FINDINGS AND IMPRESSION", "impression"),
        ("IMPRESSION AND FINDINGS", "impression"),
        ("FINDINGS/IMPRESSION", "impression"),
        ("FINDINGS/ IMPRESION", "impression"),
        ("Findings & Impression", "impression"),
        ("REFERENCE EXAM", "other"),
        ("RECOMMENDATION(S)", "other"),
        ("TYPE OF EXAMINATION", "other"),
        ("REASON FOR EXAM", "other"),
        ("PFI", "other"),
        ("INDICATION/HISTORY", "other"),
        ("clinical impression", "other"),
    ],
)
def test_known_names(name: str, section: str) -> None:
    assert heading_of(name, fuzzy=True) == Heading(section)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "section"),
    [
        ("CHEST, TWO VIEWS", "findings"),
        ("PORTABLE AP CHEST", "findings"),
        ("AP PORTABLE CHEST RADIOGRAPH", "findings"),
        ("PA AND LATERAL VIEWS OF THE CHEST", "findings"),
        ("FRONTAL AND LATERAL CHEST RADIOGRAPHS", "findings"),
        ("CHEST (2 VIEWS)", "findings"),
        ("Chest, two views", "findings"),
        ("RIGHT RIBS", "findings"),
        ("REFERENCE FINDINGS", "findings"),
        ("PRELIMINARY IMPRESSION", "impression"),
        ("PAST MEDICAL HISTORY", "other"),
        ("COMPARISON STUDIES", "other"),
    ],
)
def test_views_and_longer_names_are_weak(name: str, section: str) -> None:
    assert heading_of(name, fuzzy=True) == Heading(section, weak=True)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "name",
    [
        *("LUNGS", "HEART", "SUPPORT DEVICES", "PLEURA", "BONES", "UPPER ABDOMEN", "FILM", "T", "Lungs", "Pleura"),
        *("Right shoulder", "There are the following findings", "as described in the prior history"),
    ],
)
def test_names_that_open_nothing(name: str) -> None:
    assert heading_of(name, fuzzy=True) is None


@pytest.mark.parametrize("name", ["FINIDNGS", "CHEST, TWO VIEWS", "PAST MEDICAL HISTORY"])
def test_in_running_text_only_exact_names_count(name: str) -> None:
    assert heading_of(name) is None
