"""What cells mean."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from scripts.data.cells import file_name, read_ages, read_labels
from scripts.errors import CxrError

NAN = float("nan")


@pytest.mark.parametrize(
    ("cell", "years"),
    [
        # DICOM's age string, PS3.5 6.2: three digits and D, W, M or Y.
        ("058Y", 58), ("007M", 7 / 12), ("003W", 21 / 365.25), ("012D", 12 / 365.25), ("000Y", 0),
        ("58", 58), ("58.0", 58), ("0.5", 0.5), ("58,5", 58.5), (" 58 ", 58), ("58 y", 58), ("58yo", 58),
        ("58 years old", 58), ("7 months", 7 / 12), ("90+", 90), (">89", 90), (">=90", 90), ("≥ 90", 90), (">90Y", 91),
        ("90 or older", 90), ("<1", 0), ("<18", 17), ("<=17", 17), (61, 61), (0.25, 0.25), ("122", 122),
    ],
)  # fmt: skip
def test_ages_in_years(cell, years):
    found, notes = read_ages(pd.Series([cell]))
    assert found.tolist() == pytest.approx([years])
    bound = any(sign in str(cell) for sign in "+<>≥") or "or" in str(cell)
    assert [note.partition("are ")[2].split(",")[0] for note in notes] == ["bounds such as 90+ or <1"] * bound


@pytest.mark.parametrize("cell", [None, NAN, "", "nan", "unknown", pd.NA])
def test_an_age_that_nobody_told_is_no_fault(cell):
    found, notes = read_ages(pd.Series([cell, "5"], dtype=object))
    assert np.isnan(found[0]) and found[1] == 5 and notes == []


def test_what_is_no_age_is_counted_and_named():
    cells = pd.Series(["155", "58", "414", "fifty", "50-60", "1965-03-01", "-1", "90+", "050Y"], index=range(10, 19))
    found, notes = read_ages(cells)
    np.testing.assert_array_equal(found, [NAN, 58, NAN, NAN, NAN, NAN, NAN, 90, 50])
    assert notes == [
        "age: 2 row(s), for example [10, 12], are above 122 years and count as unknown",
        "age: 4 row(s), for example [13, 14, 15, 16], are no age and count as unknown",
        "age: 1 row(s), for example [17], are bounds such as 90+ or <1, of which the nearest whole year counts",
    ]


def test_labels():
    for cells in (["1", "0.0", "-1", " ", None, "True", "false"], [1, 0.0, -1, NAN, None, True, False]):
        found = read_labels(pd.Series(cells, dtype=object), "t.csv")
        np.testing.assert_array_equal(found, [1, 0, -1, NAN, NAN, 1, 0])


def test_a_cell_that_is_no_label_is_named_by_its_row_alone():
    with pytest.raises(
        CxrError, match=r"^t\.csv: column 'x': 2 cell\(s\), for example in row 1, are no label;"
    ) as error:
        read_labels(pd.Series(["1", "John", "Doe"], name="x"), "t.csv")
    assert "John" not in str(error.value)


@pytest.mark.parametrize("cell", ["images\\a b.png", " images/a b.png ", "images/a b.png\t"])
def test_a_path_loses_what_no_path_has(cell):
    assert file_name(cell) == "images/a b.png"
