"""Splits, label fractions and folds: by patient, nested, deterministic."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from scripts.data.splits import (
    assign_folds,
    assign_splits,
    check_leakage,
    label_fractions,
    merge_patients,
    patient_note,
)
from scripts.errors import CxrError


@pytest.fixture
def patients() -> pd.Series:
    """200 patients with one to three images each, in a shuffled order."""
    counts = np.arange(200) % 3 + 1
    names = np.repeat([f"p{i:03d}" for i in range(200)], counts)
    return pd.Series(np.random.default_rng(1).permutation(names))


def test_splits_are_by_patient_and_of_the_asked_size(patients):
    split = assign_splits(patients, (0.7, 0.1, 0.2))
    assert (split.groupby(patients).nunique() == 1).all()
    assert split.groupby(patients).first().value_counts().to_dict() == {"train": 140, "test": 40, "val": 20}


def test_splits_do_not_depend_on_row_order(patients):
    shuffled = patients.sample(frac=1, random_state=3)
    assert assign_splits(shuffled).sort_index().equals(assign_splits(patients))
    assert not assign_splits(patients, seed=1).equals(assign_splits(patients))


def test_splits_are_the_same_on_every_machine():
    # Recomputed here from the definition: patients in the order of blake2b(seed/split/patient), test first.
    from hashlib import blake2b

    names = list("abcdefghij")
    order = sorted(names, key=lambda name: blake2b(f"0/split/{name}".encode()).digest())
    split = assign_splits(pd.Series(names), (0.7, 0.1, 0.2))
    assert set(np.array(names)[split == "test"]) == set(order[:2])
    assert set(np.array(names)[split == "val"]) == set(order[2:3])


@pytest.mark.parametrize("count", [1, 2, 3, 4, 9])
def test_few_patients_leave_something_to_train_on(count):
    split = assign_splits(pd.Series([f"p{i}" for i in range(count)]))
    assert (split == "train").sum() >= 1
    assert count < 3 or {"val", "test"} <= set(split)


def test_shares_must_add_up():
    with pytest.raises(CxrError, match="add up to 1"):
        assign_splits(pd.Series(["a"]), (0.7, 0.1, 0.1))


def test_fractions_are_nested_by_patient_and_of_train_only(patients):
    split = assign_splits(patients)
    fraction = label_fractions(patients, split)
    assert fraction.isna().equals(split != "train")
    assert (fraction.dropna().groupby(patients).nunique() == 1).all()
    sizes = [patients[fraction <= f].nunique() for f in (1, 10, 100)]
    assert sizes == [1, 14, 140]  # of 140 training patients
    assert set(patients[fraction <= 1]) < set(patients[fraction <= 10])


def test_folds_are_by_patient_and_balanced(patients):
    fold = assign_folds(patients)
    assert (fold.groupby(patients).nunique() == 1).all()
    assert fold.groupby(patients).first().value_counts().to_dict() == dict.fromkeys(range(5), 40)


def test_patients_with_an_identical_image_are_one_group():
    patients = pd.Series(["d", "a", "b", "c", "b", "e"])
    pixels = pd.Series(["x", "x", "y", "z", "x", ""])
    # d, a and b share x; c and e stand alone, and an unknown image joins nobody
    assert merge_patients(patients, pixels).tolist() == ["a", "a", "a", "c", "a", "e"]
    assert merge_patients(patients, pd.Series([""] * 6)).tolist() == patients.tolist()


def test_a_patient_in_two_splits_is_named_with_its_rows():
    table = pd.DataFrame({"patient_id": ["a", "b", "a", "c"], "split": ["train", "val", "test", "test"]})
    with pytest.raises(CxrError, match=r"^t.csv: 1 patient.*that of rows \[0, 2\]"):
        check_leakage(table, "t.csv")
    check_leakage(table.drop(index=2), "t.csv")


def test_rows_that_are_all_patients_of_their_own_are_told():
    """RSNA's patientId names an image: 26,684 ids of 26,684 files."""
    images = pd.Series([f"{i:04}" for i in range(60)])
    assert patient_note(images).startswith("EACH OF THE 60 IMAGES IS A PATIENT OF ITS OWN")
    assert patient_note(images[:20]) == ""  # a small table may be so
    assert patient_note(pd.concat([images, images[:1]])) == ""
    assert patient_note(images.str[:3]) == ""
