"""Official splits, and the parts that they lack."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError

import pandas as pd

from scripts.data.splits import assign_splits

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

    Args:
        table: with `patient_id`. A row of no official part is excluded, with that reason.
        split: "train" | "val" | "test" of each row, missing = of no part.
        share: of the training patients, for each part that is missing.
        seed: another seed draws other patients.

    Returns:
        Notes for the person.
    """
    table["split"] = split.fillna("")
    if (outside := table["split"] == "").any():
        reasons = table.get("exclude_reason", pd.Series("", table.index))
        table["exclude_reason"] = reasons.where((reasons != "") | ~outside, "in no official list")
    missing = [name for name in ("val", "test") if not (split == name).any()]
    train = split == "train"
    if not missing or not train.any():
        return []
    val, test = (share * (name in missing) for name in ("val", "test"))
    drawn = assign_splits(table.loc[train, "patient_id"], (1 - val - test, val, test), seed)
    table["split"] = table["split"].where(~train, drawn)
    sizes = ", ".join(f"{name} {(drawn == name).sum()} images" for name in missing)
    parts = " and no ".join(missing)
    return [f"the set has no {parts} part: drawn from its training patients, {share:.0%} each ({sizes})"]


def _share(value: str) -> float:
    try:
        share = float(value)
    except ValueError:
        share = 0.0
    if not 0 < share < 0.5:
        raise ArgumentTypeError(f"{value!r} is no share above 0 and below 0.5, such as 0.1")
    return share
