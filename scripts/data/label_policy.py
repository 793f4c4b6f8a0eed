"""What an uncertain or an unknown label counts as: left out, absent or present, one policy for all or one a finding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import CxrError

Policy = Literal["ignore", "zeros", "ones"]
Policies = Policy | Mapping[str, Policy]
_VALUES = {"ignore": np.nan, "zeros": 0.0, "ones": 1.0}


def resolve_labels(
    labels: ArrayLike,
    uncertain: Policies = "ignore",
    unknown: Policies = "ignore",
    names: Sequence[str] | None = None,
) -> NDArray[np.float64]:
    """Apply the label policies to `[n, c]` labels of 1, 0, -1 (uncertain) and NaN (unknown); gives 1, 0 and NaN.

    `ignore` leaves an entry out (NaN), `zeros` and `ones` decide it (CheXpert's U-Zeros and U-Ones).

    Args:
        labels: `[n, c]`, or `[n]` for one finding.
        uncertain: what -1 counts as: a policy, or a policy a finding, `{"Edema": "ones", "default": "zeros"}`; without
            a `default` the others are ignored.
        unknown: what NaN counts as, likewise.
        names: `[c]` findings, for policies that name them.

    Raises:
        CxrError: another label or policy than these, or a policy for a finding that is not among `names`.
    """
    table: NDArray[Any] = np.array(labels, dtype=np.float64)
    table = table[:, None] if table.ndim == 1 else table
    odd = ~np.isin(table, (-1, 0, 1)) & ~np.isnan(table)
    if odd.any():
        raise CxrError(
            f"A label must be 1, 0, -1 (uncertain) or empty, got {table[odd][0]:g} in column {np.argwhere(odd)[0][1]}."
        )
    # Both masks come first: an ignored uncertain label must not be taken for an unknown one.
    doubtful, missing = table == -1, np.isnan(table)
    for option, policies, where in (("uncertain", uncertain, doubtful), ("unknown", unknown, missing)):
        values = _values(option, policies, names, table.shape[1])
        table = np.where(where, values, table)
    return table


def _values(option: str, policies: Policies, names: Sequence[str] | None, count: int) -> NDArray[np.float64]:
    """`[c]` what the policies make of a label."""
    if isinstance(policies, Mapping):
        if foreign := sorted(set(policies) - {"default", *(names or ())}):
            raise CxrError(
                f"Label policy {option} names {', '.join(foreign)}, which is none of the findings "
                f"{', '.join(names or ())}, nor 'default'."
            )
        chosen = [policies.get(name, policies.get("default", "ignore")) for name in names or ()]
    else:
        chosen = [policies] * count
    for policy in chosen:
        if policy not in _VALUES:
            raise CxrError(f"Label policy {option}={policy!r} is not one of {', '.join(_VALUES)}.")
    return np.array([_VALUES[policy] for policy in chosen])
