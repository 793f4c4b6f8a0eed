"""Run-length strings of archives in the form of the study table: `start length …`, from 1, down the columns."""

from __future__ import annotations

import numpy as np

from scripts.data.studies import EMPTY
from scripts.errors import CxrError


def absolute_runs(relative: str) -> str:
    """SIIM-ACR's form, in which each start counts from the end of the run before it, from 0, down the columns of an
    image whose columns are its rows (the challenge's own `rle2mask` turns the mask); `-1` stays.
    """
    if relative.strip() == EMPTY:
        return EMPTY
    numbers = relative.split()
    if len(numbers) % 2 or not all(number.isdecimal() for number in numbers):
        raise CxrError("a run-length string is pairs of a start and a length, or -1; one is something else.")
    runs = np.array(numbers, dtype=np.int64).reshape(-1, 2)
    ends = runs.sum(axis=1).cumsum()
    return " ".join(f"{end - length + 1} {length}" for end, length in zip(ends.tolist(), runs[:, 1].tolist()))


def filled_box(box: list[float], height: int, width: int) -> str:
    """A box [x0, y0, x1, y1] as the mask that it fills, of an image of `height` × `width` pixels."""
    x0, y0, x1, y1 = (round(value) for value in box)
    x0, x1, y0, y1 = max(x0, 0), min(x1, width), max(y0, 0), min(y1, height)
    return (
        " ".join(f"{column * height + y0 + 1} {y1 - y0}" for column in range(x0, x1)) if y1 > y0 and x1 > x0 else EMPTY
    )
