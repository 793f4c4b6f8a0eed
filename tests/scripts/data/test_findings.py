"""One finding under several names."""

from __future__ import annotations

import pytest

from scripts.data.findings import SPELLINGS, canonical, corresponding

CHEXPERT = ["No Finding", "Enlarged Cardiomediastinum", "Lung Opacity", "Lung Lesion", "Edema", "Pleural Effusion"]
NIH = ["Atelectasis", "Effusion", "Infiltration", "Pleural_Thickening", "Edema"]


@pytest.mark.parametrize(
    ("names", "known", "found"),
    [
        (NIH, CHEXPERT, [None, "Pleural Effusion", None, None, "Edema"]),
        (["Pleural thickening", "pleural effusion"], NIH, ["Pleural_Thickening", "Effusion"]),
        (["hiatal hernia"], ["Hernia"], ["Hernia"]),
        (["pneumonia"], ["Pneumonia", "pneumonia"], ["pneumonia"]),  # the very name before any other
        (["Effusion"], ["Pleural Effusion", "pleural effusion"], [None]),  # who can say which
        (["Mass (<3 cm)"], ["Mass (>3 cm)"], [None]),
        (["Left lung"], ["left_lung"], ["left_lung"]),  # no finding of the vocabulary: spelling alone
        (["Lung Lesion"], ["Nodule", "Mass"], [None]),
    ],
)
def test_names_correspond(names: list[str], known: list[str], found: list[str | None]) -> None:
    assert list(corresponding(names, known).values()) == found


def test_no_spelling_means_two_findings() -> None:
    words = [word.lower() for name, others in SPELLINGS.items() for word in (name, *others)]
    assert len(set(words)) == len(words)
    assert all(canonical(word) == name for name, others in SPELLINGS.items() for word in (name, *others))
