"""Zero-shot classification, scored as the linear probes are: no image and no label is fitted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from scripts.data.label_policy import resolve_labels
from scripts.metrics import MACRO, Groups, ProbeResult, ProbeRow, bootstrap_weights, class_score, weighted_auroc
from scripts.metrics.classification import lacking, mean_over_classes


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
    weights = bootstrap_weights(patients, resamples)
    rows, draws = [], []
    for i, name in enumerate(names):
        known = ~np.isnan(truth[:, i])
        counts = int((truth[known, i] == 1).sum()), int(known.sum())
        if reason := lacking(truth[:, i]):
            rows.append(ProbeRow(name, None, None, None, *counts, reason))
            continue
        draws.append(weighted_auroc(truth[known, i], scores[known, i], weights[:, known]))
        found = class_score(draws[-1])
        rows.append(ProbeRow(name, found.value, found.lo, found.hi, *counts))
    everything = ProbeRow(MACRO, None, None, None, sum(row.positives for row in rows), len(truth), "no class scored")
    if draws:
        found = class_score(mean_over_classes(draws))
        left_out = "" if len(draws) == len(rows) else f"over {len(draws)} of {len(rows)} classes"
        everything = ProbeRow(MACRO, found.value, found.lo, found.hi, everything.positives, len(truth), left_out)
    return ProbeResult(tuple(rows), everything, scores, truth, np.asarray(patients))


def zero_shot_summary(result: ProbeResult) -> dict[str, Mapping[str, Any]]:
    """For `evaluation.json`: `macro` and each finding with `value`, `lo`, `hi`, `positives`, `n` and `reason`."""
    return {
        row.name: {
            "value": row.auroc, "lo": row.lo, "hi": row.hi, "positives": row.positives, "n": row.n,
            "reason": row.reason,
        }
        for row in (result.macro, *result.rows)
    }  # fmt: skip
