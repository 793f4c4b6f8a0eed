"""Cells of boxes that mean nothing: one line that names the row and not what the cell holds."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from scripts.data.boxes import read_boxes
from scripts.errors import CxrError

NUMBERS = "a box is a list of four numbers"


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("[" * 100_000, "expected a JSON list"),
        ("[" * 100_000 + "]" * 100_000, "expected a JSON list"),
        ("[[1" + "0" * 5000 + ", 1, 2, 2]]", "expected a JSON list"),  # more digits than Python reads
        ('{"x": 1}', "expected a JSON list"),
        ("[1, 2, 3, 4]", NUMBERS),
        ('["DOE1"]', NUMBERS),
        ("[null]", NUMBERS),
        ('[{"a": 1, "b": 2, "c": 3, "d": 4}]', NUMBERS),
        ("[[1, 2, 3, [4]]]", NUMBERS),
        ("[[1, 2, 3, null]]", NUMBERS),
        ('[[1, 2, 3, "4"]]', NUMBERS),
        ("[[false, false, true, true]]", NUMBERS),
        ("[[0, 0, NaN, 4]]", NUMBERS),
        ("[[0, 0, Infinity, 4]]", NUMBERS),
        ("[[0, 0, 1e39, 4]]", NUMBERS),  # infinite as float32
        ("[[0, 0, 1" + "0" * 400 + ", 4]]", NUMBERS),
        (np.array([np.array([1.0, 2.0])], dtype=object), NUMBERS),
        ([[0, 0, np.nan, 4]], NUMBERS),
        ("[[1, 2, 1, 4]]", "a box needs x0 < x1 and y0 < y1"),
    ],
)
def test_a_cell_that_is_no_list_of_boxes(cell: object, message: str) -> None:
    with pytest.raises(CxrError, match=rf"^t\.csv: .*row 7: {message}") as caught:
        read_boxes(pd.Series([None, cell], index=[3, 7], name="boxes", dtype=object), None, "t.csv")
    assert len(str(caught.value)) < 200 and "DOE" not in str(caught.value)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ('["a", "b"]', "a box needs exactly one label; there are 1 boxes and 2 labels"),
        ('[["a"]]', "the label of a box is a text"),
        ("[null]", "the label of a box is a text"),
        ("[" * 100_000, "expected a JSON list"),
    ],
)
def test_a_cell_that_is_no_list_of_labels(names: str, message: str) -> None:
    with pytest.raises(CxrError, match=message):
        read_boxes(pd.Series(["[[1, 2, 3, 4]]"]), pd.Series([names], name="labels"), "t.csv")


def test_boxes_of_json_and_of_parquet_are_alike() -> None:
    cells = pd.Series(["[[1, 2, 3, 4.5]]", np.array([np.array([1, 2, 3, 4.5])], dtype=object), "[]", None, np.nan])
    names = pd.Series(['["a"]', np.array(["a"], dtype=object), "", None, None])
    found, labels = read_boxes(cells, names, "t.csv")
    assert found == [[[1.0, 2.0, 3.0, 4.5]]] * 2 + [[], None, None]
    assert labels == [["a"], ["a"], [], None, None]
