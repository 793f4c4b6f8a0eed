"""Sex, age and view of the images, as groups that are scored apart."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

AGE_BANDS = (("<40", -np.inf, 40), ("40-59", 40, 60), ("60-79", 60, 80), (">=80", 80, np.inf))
UNKNOWN = "unknown"

Groups = dict[str, NDArray[np.bool_]]


def subgroups(table: pd.DataFrame) -> dict[str, Groups]:
    """Groups of the table's rows by what is known about them.

    Args:
        table: with any of the columns `sex`, `view` ("" unknown) and `age` (years, NaN unknown).

    Returns:
        `{"sex" | "age" | "view": {group: [n] mask}}`; the images of which it is not known are a group of their own, and
        what is known of none is left out.
    """
    found = {name: _by_text(table[name]) for name in ("sex", "view") if name in table}
    if "age" in table:
        found["age"] = _by_age(pd.to_numeric(table["age"], errors="coerce").to_numpy(dtype=np.float64))
    order = [name for name in ("sex", "age", "view") if name in found]
    return {name: found[name] for name in order if set(found[name]) - {UNKNOWN}}


def _by_text(column: pd.Series) -> Groups:
    values = column.fillna("").astype(str).to_numpy()
    groups = {value: values == value for value in sorted(set(values) - {""})}
    return groups | ({UNKNOWN: values == ""} if (values == "").any() else {})


def _by_age(ages: NDArray[np.float64]) -> Groups:
    groups = {band: (ages >= low) & (ages < high) for band, low, high in AGE_BANDS}
    groups = {band: mask for band, mask in groups.items() if mask.any()}
    return groups | ({UNKNOWN: np.isnan(ages)} if np.isnan(ages).any() else {})
