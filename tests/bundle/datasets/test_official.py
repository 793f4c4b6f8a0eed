"""Official splits, and the parts that they lack."""

from __future__ import annotations

import pandas as pd
import pytest

from bundle.datasets.official import keep_official


def rows(*splits: str | None) -> tuple[pd.DataFrame, pd.Series]:
    """Two images a patient."""
    table = pd.DataFrame({"patient_id": [f"p{i}" for i in range(len(splits)) for _ in range(2)]})
    return table, pd.Series([split for split in splits for _ in range(2)])


@pytest.mark.parametrize(
    ("given", "drawn"),
    [
        (["train"] * 20 + ["test"] * 3, {"train": 36, "val": 4, "test": 6}),
        (["train"] * 20 + ["val"] * 3, {"train": 36, "val": 6, "test": 4}),
        (["train"] * 20, {"train": 32, "val": 4, "test": 4}),
        (["train"] * 20 + ["val", "test"], {"train": 40, "val": 2, "test": 2}),
    ],
)
def test_a_missing_part_is_drawn_from_train_by_patient(given: list[str], drawn: dict[str, int]) -> None:
    table, split = rows(*given)
    notes = keep_official(table, split, 0.1, seed=0)
    assert table["split"].value_counts().to_dict() == drawn
    assert (table.groupby("patient_id")["split"].nunique() == 1).all()
    assert (table.loc[split != "train", "split"] == split[split != "train"]).all()
    missing = [name for name in ("val", "test") if name not in given]
    assert notes == (
        [
            f"the set has no {' and no '.join(missing)} part: drawn from its training patients, 10% each "
            f"({', '.join(f'{name} 4 images' for name in missing)})"
        ]
        if missing
        else []
    )
    assert "exclude_reason" not in table


def test_official_lists_that_leak_are_reported_and_lose_what_leaks() -> None:
    table = pd.DataFrame({"patient_id": ["a", "a", "a", "b", "b", "c"]})
    notes = keep_official(table, pd.Series(["train", "val", "test", "train", "val", "train"]), 0.1, seed=0)
    reason = "patient also in a held-out part of the official lists"
    assert table["exclude_reason"].tolist() == [reason, reason, "", reason, "", ""]
    assert table["split"].tolist() == ["", "", "test", "", "val", "train"]
    assert notes == ["OFFICIAL LISTS LEAK: 3 images of patients that are in two parts"]


def test_rows_of_no_official_part_are_excluded() -> None:
    table, split = rows("train", None, "val", "test")
    table["exclude_reason"] = ["", "", "", "not a radiograph", "", "", "", ""]
    keep_official(table, split, 0.1, seed=0)
    assert table["exclude_reason"].tolist() == ["", "", "in no official list", "not a radiograph", "", "", "", ""]
