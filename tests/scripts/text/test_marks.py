"""De-identification marks: what goes with them, what stays, and that nothing is denied or asserted anew."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pandas as pd
import pytest

from scripts.text.cleaning import clean

GOLDEN = Path(__file__).with_name("iu_marks.csv")


@pytest.mark.parametrize(
    ("raw", "left"),
    [
        # the mark alone: an adjective, a member of a list, an adverb in front
        ("XXXX opacity in the left base.", "Opacity in the left base."),
        ("There are XXXX degenerative changes.", "There are degenerative changes."),
        ("A XXXX opacity, unchanged.", "An opacity, unchanged."),
        ("Lungs are clear with XXXX scarring or XXXX atelectasis.", "Lungs are clear with scarring or atelectasis."),
        ("The ___ tube is in the stomach.", "The tube is in the stomach."),
        ("Heart, XXXX, and mediastinum are normal.", "Heart, and mediastinum are normal."),
        ("XXXX and soft tissues are unremarkable.", "Soft tissues are unremarkable."),
        ("There is no effusion or XXXX.", "There is no effusion."),
        ("No effusion, XXXX, or pneumothorax.", "No effusion, or pneumothorax."),
        ("XXXX no pneumothorax.", "No pneumothorax."),
        ("XXXX there is no pneumothorax.", "There is no pneumothorax."),
        ("___. XXXX. Stable.", "Stable."),
        ("___-year-old woman with cough.", "Woman with cough."),
        ("___ year old male, chest pain", "Male, chest pain."),
        ("Normal chest x-XXXX.", "Normal chest x-ray."),
        # a date, an earlier image, brackets
        ("Unchanged since ___.", "Unchanged."),
        ("No change since ___.", "No change."),
        ("Stable from XXXX.", "Stable."),
        ("CT dated ___ showed a nodule.", "CT showed a nodule."),
        ("Increased from ___ to ___.", "Increased."),
        ("As compared to ___, the tube has been removed.", "The tube has been removed."),
        ("In comparison to ___ at 5:30 p.m., the lungs are clearer.", "The lungs are clearer."),
        ("Compared to the radiograph of ___, no change.", "Compared to the radiograph, no change."),
        ("PA and lateral chest compared to ___ through ___:", "PA and lateral chest."),
        ("Cardiomegaly (since ___) without effusion.", "Cardiomegaly without effusion."),
        ("Opacity (XXXX, XXXX) persists.", "Opacity persists."),
        # the sentence from the comma on
        ("Basilar opacity, XXXX atelectasis.", "Basilar opacity."),
        ("Nodule in the left base, XXXX a granuloma.", "Nodule in the left base."),
        ("Lungs are clear, without XXXX effusion.", "Lungs are clear."),
        ("Heart size is normal, no XXXX.", "Heart size is normal."),
        ("No effusion, XXXX consolidation, or pneumothorax.", "No effusion."),
        ("No effusion, pneumothorax, or XXXX consolidation.", "No effusion, pneumothorax."),
        # a number goes with its sentence; the others stay
        ("1. Stable.  2. XXXX are clear. 3. No effusion.", "1. Stable. 3. No effusion."),
        ("Seen by Dr. ___ on ___. Lungs are clear.", "Lungs are clear."),
    ],
)
def test_smallest_phrase_goes(raw: str, left: str) -> None:
    assert clean(raw).text == left


@pytest.mark.parametrize(
    "raw",
    [
        "The XXXX are clear.",  # subject
        "Pulmonary XXXX are normal.",
        "Calcified hilar lymph XXXX.",
        "Effusion XXXX.",
        "The PICC line is in XXXX.",
        "Opacity XXXX represents atelectasis.",  # "likely", perhaps
        "Opacity most XXXX representing atelectasis.",
        "Effusion is XXXX present.",
        "May be XXXX to technique.",
        "There is no XXXX.",  # what is denied
        "No XXXX of pneumothorax.",
        "No XXXX effusion.",  # "large", "new": without it more is denied
        "No change in XXXX.",
        "There is not XXXX effusion.",
        "There isn't XXXX effusion.",
        "Neither XXXX nor effusion is seen.",
        "The lungs are free of XXXX.",
        "The lungs are non-XXXX.",
        "XXXX not seen.",
        "XXXX opacity is not seen.",
        "XXXX opacity, nodule, or effusion is not identified.",
        "XXXX effusion is absent.",
        "No XXXX and heart is enlarged.",  # would deny the heart
        "Otherwise, no acute or XXXX abnormality.",
        "Pneumothorax cannot be XXXX.",
        "If this persists, XXXX is recommended.",
        "Cardiac pacemaker in stable, XXXX position.",
        "ET tube ends ___ cm above the carina.",
        "Large lymph XXXX/granulomas.",
        "Dr. ___ was notified at 3:00 p.m. on ___.",
    ],
)
def test_a_broken_sentence_goes_whole_and_is_counted(raw: str) -> None:
    assert clean(raw) == ("", 1)
    text, dropped = clean(f"Cardiomegaly. {raw} Edema.")
    assert (text, dropped) == ("Cardiomegaly. Edema.", 1)


@pytest.mark.parametrize("mark", ["XXXX", "XXX", "___", "_____", "[**2101-1-1**]", "[**Doctor Last Name 12**]"])
@pytest.mark.parametrize(
    ("raw", "expected"),
    [("No {} effusion.", ("", 1)), ("Stable since {}.", ("Stable.", 0)), ("Basal {} opacity.", ("Basal opacity.", 0))],
)
def test_marks_of_all_archives(mark: str, raw: str, expected: tuple[str, int]) -> None:
    assert clean(raw.format(mark)) == expected


def test_text_without_marks_stays() -> None:
    text = "No XX chromosome: type X, XXL. A_b __ c. Is in. Has of the, which."
    assert clean(text) == (text, 0)


def test_hand_judged_sentences_of_indiana(iu_raw: dict[str, dict[str, str | None]]) -> None:
    """200 sentences with marks, drawn with two seeds and judged by reading: drop, or these letters stay.

    Where the outcome was judged right, the file holds the letters that came out; the reader wrote the rules.
    Three are known to come out wrong (among them "ICD leads in position to prior study"): they should be dropped.
    """
    golden = pd.read_csv(GOLDEN, dtype={"id": str})
    assert len(golden) == 200
    wrong = []
    for row in golden.itertuples():
        sentence = re.split(r"(?<=[.?!])\s+", iu_raw[row.id][row.section] or "")[row.sentence]
        text, dropped = clean(sentence)
        letters = re.sub(r"[^0-9a-z]", "", text.lower())
        if dropped != row.dropped or hashlib.sha256(letters.encode()).hexdigest()[:8] != row.sha256:
            wrong.append((row.id, row.section, row.sentence))
    assert len(wrong) <= 3, wrong
