"""Zero-shot classification, scored as the linear probes are: no image and no label is fitted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..data.label_policy import resolve_labels
from ..statistics.draws import Draws, Groups
from .linear_probe import ProbeResult, class_rows


def zero_shot_scores(
    log_odds: ArrayLike, labels: ArrayLike, names: Sequence[str], patients: Groups, resamples: int = 1000
) -> ProbeResult:
    """AUROC of each finding and their mean, with 95 % intervals over patients.

    Args:
        log_odds: `[n, c]` of `SharedSpace.zero_shot`.
        labels: `[n, c]` of 1, 0, and -1 or NaN (left out).
        names: `[c]` findings.
        patients: `[n]`.
        resamples: of the bootstrap.
    """
    scores, truth = np.asarray(log_odds, dtype=np.float64), resolve_labels(labels, names=names)
    rows, macro = class_rows(truth, scores, names, Draws.of(patients, resamples))
    return ProbeResult(rows, macro, scores, truth, np.asarray(patients))


def zero_shot_summary(result: ProbeResult) -> dict[str, Mapping[str, Any]]:
    """For `evaluation.json`: `macro` and each finding with `value`, `lo`, `hi`, `positives`, `n` and `reason`."""
    return {
        row.name: {
            "value": row.auroc.value, "lo": row.auroc.lo, "hi": row.auroc.hi, "positives": row.positives, "n": row.n,
            "reason": row.auroc.reason,
        }
        for row in (result.macro, *result.rows)
    }  # fmt: skip
