"""Train/val/test splits, nested label fractions and folds: by patient, and the same on every machine.

Patients are ordered by a hash of (seed, purpose, patient), so a draw depends neither on the order of rows nor on a
random generator's version, and the three draws are independent of each other.
"""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ..errors import CxrError

SPLITS = ("train", "val", "test")
FRACTIONS = (1, 10, 100)
LARGE = 50  # rows
WORDS = {"training": "train", "testing": "test"} | dict.fromkeys(("valid", "validate", "validation", "dev"), "val")


def split_words(column: pd.Series) -> pd.Series:
    """Splits as data sets call them (`Training`, `valid`, `dev`) as `SPLITS`; another word stays as it is."""
    return column.astype("str").str.strip().str.lower().replace(WORDS)


def assign_splits(
    patients: pd.Series, proportions: tuple[float, float, float] = (0.7, 0.1, 0.2), seed: int = 0
) -> pd.Series:
    """Split of each row ("train" | "val" | "test"), all rows of a patient alike.

    Args:
        patients: patient (or group of patients) of each row, length n.
        proportions: shares of the patients for train, val and test. A share above 0 gets at least one patient where
            there are enough of them.
        seed: another seed draws other patients.

    Raises:
        CxrError: when the shares do not add up to 1.
    """
    if min(proportions) < 0 or abs(sum(proportions) - 1) > 1e-6:
        raise CxrError(f"the split's shares {proportions} must be at least 0 and add up to 1")
    order = _drawn_order(patients, seed, "split")
    val, test = (_share(len(order), p) for p in proportions[1:])
    names = ["test"] * test + ["val"] * val
    names = (
        (names + ["train"] * len(order))[: len(order)]
        if proportions[0]
        else names + ["val"] * (len(order) - len(names))
    )
    return patients.map(dict(zip(order, names, strict=True)))


def label_fractions(patients: pd.Series, split: pd.Series, seed: int = 0) -> pd.Series:
    """Smallest of the nested label fractions (1, 10, 100 %) that holds each training row; <NA> for rows outside train.

    `fraction <= 10` selects the 10 % subset, which contains the 1 % subset. Drawn by patient, at least one patient
    each.
    """
    train = split == "train"
    order = _drawn_order(patients[train], seed, "fraction")
    limits = {percent: max(1, round(len(order) * percent / 100)) for percent in FRACTIONS}
    smallest = {p: next(f for f in FRACTIONS if rank < limits[f]) for rank, p in enumerate(order)}
    return patients.where(train).map(smallest).astype("Int64")


def assign_folds(patients: pd.Series, folds: int = 5, seed: int = 0) -> pd.Series:
    """Fold of each row, 0 to folds - 1, all rows of a patient alike; sizes differ by at most one patient."""
    order = _drawn_order(patients, seed, "fold")
    return patients.map({p: rank % folds for rank, p in enumerate(order)}).astype("Int64")


def split_by_fold(table: pd.DataFrame, fold: int, where: str) -> pd.DataFrame:
    """The table with the splits of one turn of a cross-validation, and label fractions of their own.

    Test = fold `fold`, val = the next one, train = the rest.

    Args:
        table: with `patient_id`, and `fold` of each row (0 to n - 1); without it, five folds are drawn by patient.
        fold: 0 to n - 1.
        where: the table, for messages.

    Raises:
        CxrError: there is no such fold, a row has none, or a patient is in two splits.
    """
    folds = table["fold"] if "fold" in table else assign_folds(table["patient_id"])
    numbers = pd.to_numeric(folds, errors="coerce")
    if len(without := table.index[numbers.isna()]):
        raise CxrError(f"{where}: {len(without)} row(s), for example {without[:6].tolist()}, are in no fold.")
    count = int(numbers.max()) + 1
    if not 0 <= fold < count:
        raise CxrError(f"{where}: fold={fold}, but its folds are 0 to {count - 1}.")
    split = numbers.map({fold: "test", (fold + 1) % count: "val"}).fillna("train")
    table = table.assign(split=split, fraction=label_fractions(table["patient_id"], split))
    check_leakage(table, where)
    return table


def merge_patients(patients: pd.Series, pixels: pd.Series) -> pd.Series:
    """Group of each row: patients that share an identical image become one group, named after its first patient.

    Args:
        patients: patient of each row.
        pixels: digest of each row's pixels; empty or missing = unknown, which joins nobody.
    """
    codes, names = pd.factorize(patients, sort=True)
    known = (pixels.fillna("") != "").to_numpy()
    images, _ = pd.factorize(pixels[known])
    size = len(names) + (images.max() + 1 if len(images) else 0)
    links = coo_array((np.ones(len(images)), (codes[known], len(names) + images)), shape=(size, size))
    component = connected_components(links, directed=False)[1][: len(names)]
    first = pd.Series(names).groupby(component).transform("first").to_numpy()
    return pd.Series(first[codes], index=patients.index)


def patient_note(patients: pd.Series) -> str:
    """What a person should know of a large table whose rows are all patients of their own, else ""."""
    if len(patients) < LARGE or patients.duplicated().any():
        return ""
    return (
        f"EACH OF THE {len(patients)} IMAGES IS A PATIENT OF ITS OWN. If the column of the patient holds images (as "
        "RSNA's patientId does), images of one patient lie in training and test at once: splits leak, scores are too "
        "good and intervals too narrow."
    )


def check_leakage(table: pd.DataFrame, where: str) -> None:
    """Raise a CxrError that names rows, and no patient, when a patient is in two splits."""
    used = table[table["split"].isin(SPLITS)]
    leaking = used.groupby("patient_id")["split"].nunique().loc[lambda n: n > 1].index
    if len(leaking):
        rows = used.index[used["patient_id"] == leaking[0]].tolist()
        raise CxrError(
            f"{where}: {len(leaking)} patient(s) are in more than one split, for example that of rows {rows[:6]} "
            f"({', '.join(used.loc[rows, 'split'].unique())}). "
            "Correct the split column, or leave it out to have one drawn by patient."
        )


def _share(count: int, proportion: float) -> int:
    """Whole patients for a share: at least one for a share above 0, unless there are fewer than three patients."""
    return max(round(count * proportion), int(proportion > 0 and count > 2))


def _drawn_order(patients: pd.Series, seed: int, purpose: str) -> list:
    def key(patient: object) -> bytes:
        return hashlib.blake2b(f"{seed}/{purpose}/{patient}".encode()).digest()

    return sorted(patients.dropna().unique(), key=key)
