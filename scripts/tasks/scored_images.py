"""Which images of an evaluation choose thresholds, and which are scored."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd


class Parts(NamedTuple):
    """The images on which thresholds are chosen, those that are scored, and what a reader has to know about it."""

    chosen: pd.DataFrame
    scored: pd.DataFrame
    note: str


def split_table(table: pd.DataFrame) -> Parts:
    """Validation images choose thresholds and temperature, test images are scored.

    Without test images the validation images are scored, and without those all that there are; a note says so.
    """
    val, test = table[table["split"] == "val"], table[table["split"] == "test"]
    if len(test) and len(val):
        return Parts(val, test, "")
    if len(test):
        note = "There are no validation images in this pass: thresholds and temperature, where there are any, come from"
        return Parts(test, test, f"{note} the images that are scored, whose scores are then optimistic.")
    scored, which = (val, "the validation images are") if len(val) else (table, "all images are")
    note = f"There are no test images in this pass: {which} scored, which may also have chosen the epoch and thresholds"
    return Parts(scored, scored, f"{note}; the scores are then optimistic.")


def count_line(scored: pd.DataFrame) -> str:
    """How many images and patients the scores stand for."""
    kinds = " and ".join(sorted(set(scored["split"]) - {""}))
    images = f"{len(scored)} {kinds} images".replace("  ", " ")
    return f"{images} of {scored['patient'].nunique()} patients; [95 % interval over patients]"
