"""The text of a study from its columns or its full report, on hand-written and on real reports."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from scripts.text.report import Report, read_report, report_text

# Each Indiana report, read from its XML by a script that knows nothing of ours: whether FINDINGS and IMPRESSION hold
# anything, how many marks (XXX...) there are, and, where there are none, how many letters and digits impression and
# findings have together and the first eight digits of their SHA-256: in lower case; entities and <BR> resolved; without
# a closing "END OF REPORT"; of 2415, which holds a second report in its impression, the last impression.
GOLDEN = Path(__file__).with_name("iu_reports.csv")


@pytest.mark.parametrize(
    ("given", "text", "source"),
    [
        ({"findings": "Clear", "impression": "Normal"}, "Normal. Clear.", "both"),
        ({"findings": "Clear", "impression": np.nan}, "Clear.", "findings"),
        ({"findings": "Clear", "impression": "Normal", "sections": ("findings",)}, "Clear.", "findings"),
        (
            {"findings": "Clear", "impression": "Normal", "sections": ("findings", "impression")},
            "Clear. Normal.",
            "both",
        ),
        ({"impression": "Normal", "sections": ("findings",)}, "", ""),
        ({"findings": "Clear", "report": "FINDINGS: other. IMPRESSION: Normal."}, "Normal. Clear.", "both"),
        ({"findings": "XXXX.", "report": "FINDINGS: Clear."}, "Clear.", "findings"),
        ({"findings": "FINDINGS: Clear.", "impression": "impression:\nNormal"}, "Normal. Clear.", "both"),
        ({"findings": "Chest: Clear.\nLUNGS: Clear."}, "Chest: Clear. LUNGS: Clear.", "findings"),
        ({"findings": "Clear.<br>Normal &amp; well"}, "Clear. Normal & well.", "findings"),
        ({"report": "Portable film.\nNo pneumothorax"}, "Portable film. No pneumothorax.", "neither"),
        ({"report": "INDICATION: pneumonia?"}, "", ""),
        ({"findings": np.nan, "impression": None, "report": pd.NA}, "", ""),
        ({}, "", ""),
    ],
)
def test_read_report(given: dict, text: str, source: str) -> None:
    assert read_report(**given) == Report(text, source)
    assert report_text(**given) == text


def test_dropped_sentences_of_all_used_parts_are_counted() -> None:
    report = "IMPRESSION: No XXXX effusion. Edema.\nFINDINGS: The XXXX are clear.\nINDICATION: The XXXX are red."
    assert read_report(report=report) == Report("Edema.", "impression", dropped=2)


def _letters(text: str) -> str:
    return re.sub("[^0-9a-z]", "", text.lower())


def test_every_indiana_report(iu_raw: dict[str, dict[str, str | None]]) -> None:
    golden = pd.read_csv(GOLDEN, dtype={"id": str}).set_index("id")
    assert set(golden.index) == set(iu_raw) and len(golden) == 3955
    wrong: dict[str, list] = {name: [] for name in ("source", "as one text", "letters", "marks")}
    for name, parts in iu_raw.items():
        row = golden.loc[name]
        read = read_report(findings=parts.get("FINDINGS"), impression=parts.get("IMPRESSION"))
        whole = read_report(report="\n".join(f"{heading}: {text or ''}" for heading, text in parts.items()))
        if whole != read:
            wrong["as one text"].append(name)
        if row.marks:
            if re.search(r"X{3,}|_{3,}", read.text):
                wrong["marks"].append(name)
            continue
        expected = {(1, 1): "both", (1, 0): "findings", (0, 1): "impression", (0, 0): ""}[row.findings, row.impression]
        if read.source != expected or read.dropped:
            wrong["source"].append(name)
        letters = _letters(read.text)
        if len(letters) != row.letters or hashlib.sha256(letters.encode()).hexdigest()[:8] != row.sha256:
            wrong["letters"].append(name)
    assert not any(wrong.values()), wrong


def test_an_empty_indiana_report_is_no_report(iu_raw: dict[str, dict[str, str | None]]) -> None:
    # 28 of the collection hold no findings and no impression (counted in the XML).
    empty = [parts for parts in iu_raw.values() if not (parts.get("FINDINGS") or parts.get("IMPRESSION"))]
    assert len(empty) == 28
    texts = {report_text(report=" ".join(f"{name}: {text or ''}" for name, text in parts.items())) for parts in empty}
    assert texts == {""}


def test_real_notes_lose_history_and_discussion(shared_data: Path) -> None:
    notes = pd.read_csv(shared_data / "covid_cxr_notes" / "data.csv").notes
    texts = notes.map(lambda note: report_text(report=note))
    assert (texts == "").sum() == notes.isna().sum()
    marked = notes.fillna("").str.contains(r"(?:^|\. )Imaging Notes: \w", regex=True)
    assert marked.sum() > 40
    assert not texts[marked].str.contains("Presentation:|Discussion:|Imaging Notes:", regex=True).any()
