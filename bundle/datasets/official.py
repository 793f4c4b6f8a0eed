"""Official splits, and the parts that they lack."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError

import pandas as pd

from scripts.data.splits import SPLITS, assign_splits

SHARE = 0.1


def add_share(parser: ArgumentParser, default: float = SHARE) -> None:
    """`--val-share`."""
    parser.add_argument(
        "--val-share",
        type=_share,
        default=default,
        metavar="P",
        help=f"share of the training patients that becomes the part (val or test) which the set lacks ({default:g})",
    )


def keep_official(table: pd.DataFrame, split: pd.Series, share: float, seed: int) -> list[str]:
    """Add `split` to a study table; the part, val or test, that an official split lacks is drawn from train by patient.

    Official lists that leak are reported: of a patient in two parts the images of the better protected one stay (test,
    then val), and the others are excluded, with that reason.

    Args:
        table: with `patient_id`. A row of no official part is excluded, with that reason.
        split: "train" | "val" | "test" of each row, missing = of no part.
        share: of the training patients, for each part that is missing.
        seed: another seed draws other patients.

    Returns:
        Notes for the person.
    """
    rank = split.map({name: place for place, name in enumerate(SPLITS)})
    leaking = rank < rank.groupby(table["patient_id"]).transform("max")
    _exclude(table, split.isna(), "in no official list")
    _exclude(table, leaking, "patient also in a held-out part of the official lists")
    notes = [f"OFFICIAL LISTS LEAK: {leaking.sum()} images of patients that are in two parts"] if leaking.any() else []
    split = split.mask(leaking)
    table["split"] = split.fillna("")
    missing = [name for name in ("val", "test") if not (split == name).any()]
    train = split == "train"
    if not missing or not train.any():
        return notes
    val, test = (share * (name in missing) for name in ("val", "test"))
    drawn = assign_splits(table.loc[train, "patient_id"], (1 - val - test, val, test), seed)
    table["split"] = table["split"].where(~train, drawn)
    sizes = ", ".join(f"{name} {(drawn == name).sum()} images" for name in missing)
    parts = " and no ".join(missing)
    return [*notes, f"the set has no {parts} part: drawn from its training patients, {share:.0%} each ({sizes})"]


def _exclude(table: pd.DataFrame, rows: pd.Series, reason: str) -> None:
    """Gives rows that have none a reason."""
    if rows.any():
        reasons = table.get("exclude_reason", pd.Series("", table.index))
        table["exclude_reason"] = reasons.where((reasons != "") | ~rows, reason)


def _share(value: str) -> float:
    try:
        share = float(value)
    except ValueError:
        share = 0.0
    if not 0 < share < 0.5:
        raise ArgumentTypeError(f"{value!r} is no share above 0 and below 0.5, such as 0.1")
    return share
