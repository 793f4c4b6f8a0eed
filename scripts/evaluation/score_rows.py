"""Rows of the evaluation's table: probes, retrieval, geometry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..statistics.estimate import MACRO, Estimate
from ..tables.scores import ScoreRow
from .linear_probe import ProbeResult

Results = Mapping[str, Mapping[str, Any]]
RETRIEVAL = {
    "r_at_1": "R@1",
    "r_at_5": "R@5",
    "r_at_10": "R@10",
    "p_at_1": "P@1",
    "p_at_5": "P@5",
    "p_at_10": "P@10",
    "mrr": "mean reciprocal rank",
    "median_rank": "median rank",
}
# Scores whose hits have the query's finding, in another patient, and not its own report.
FINDING = {f"finding_{score}": f"{label} same finding" for score, label in RETRIEVAL.items()}
WAYS = {"image_to_report": "image→report", "report_to_image": "report→image"}
PAIRS = ("r_at_1", "r_at_5", "r_at_10", "median_rank", "finding_p_at_5", "finding_p_at_10")
IMAGES = ("r_at_1", "r_at_5", "r_at_10", "p_at_5", "p_at_10", "median_rank")
GEOMETRY = {
    "effective_rank": "effective rank",
    "uniformity": "uniformity",
    "mean_offdiag_correlation": "mean |correlation|",
    "feature_std": "feature std",
    "alignment": "alignment",
}


def probe_rows(results: Mapping[str, ProbeResult], before: str = "") -> list[ScoreRow]:
    """Rows of probes of the same classes: AUROC of each class, then the macro average.

    `before` stands before each row's name, as "zero-shot ".
    """
    tables = {method: [*result.rows, result.macro] for method, result in results.items()}
    rows = []
    for i, first in enumerate(next(iter(tables.values()))):
        cells = {method: table[i].auroc for method, table in tables.items()}
        positives = "" if first.name == MACRO else f" ({first.positives} of {first.n})"
        rows.append(ScoreRow(f"{before}AUROC {first.name}{positives}", cells, trivial=0.5))
    return rows


def retrieval_rows(results: Results, scores: Sequence[str] = PAIRS) -> list[ScoreRow]:
    """Rows of `{method: retrieval(...)}` on the same pairs, in both directions, beside exact chance."""
    return [
        row
        for way, label in WAYS.items()
        for row in _ranked_rows({method: result[way] for method, result in results.items()}, scores, label)
    ]


def image_retrieval_rows(
    results: Results, scores: Sequence[str] = IMAGES, label: str = "image→image"
) -> list[ScoreRow]:
    """Rows of `{method: label_retrieval(...)}` of images among images, or the reason why there are none."""
    label = f"same finding {label}"
    absent = {m: Estimate(None, reason=result["reason"]) for m, result in results.items() if "reason" in result}
    return [ScoreRow(label, absent)] if absent else _ranked_rows(results, scores, label)


def shared_space_rows(member: str, reason: str) -> list[ScoreRow]:
    """What stands where a method without a shared space has no zero-shot classification and no retrieval."""
    return [
        ScoreRow(name, {member: Estimate(None, reason=reason)})
        for name in ("zero-shot AUROC macro", *(f"retrieval {way}" for way in WAYS.values()))
    ]


def geometry_rows(results: Mapping[str, Mapping[str, float]]) -> list[ScoreRow]:
    """Rows of `{method: latent_geometry(...)}`; they have no trivial level."""
    return [
        ScoreRow(label, {method: Estimate(result[name]) for method, result in results.items() if name in result})
        for name, label in GEOMETRY.items()
        if any(name in result for result in results.values())
    ]


def _ranked_rows(results: Results, scores: Sequence[str], label: str) -> list[ScoreRow]:
    rows = []
    for score in scores:
        cells = {method: result[score] for method, result in results.items() if score in result}
        if cells:
            name = (RETRIEVAL | FINDING).get(score, score)
            rows.append(ScoreRow(f"{name} {label}", cells, trivial=next(iter(cells.values())).trivial))
    return rows
