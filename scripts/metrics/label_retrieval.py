"""Retrieval by finding: does what is most similar to an image show the same finding, in another patient?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from ..errors import CxrError
from ..statistics.draws import Draws, Floats, Groups
from ..statistics.estimate import Estimate, estimate
from .nearest import NOBODY, Index, Neighbours, nearest
from .retrieval import chance_of_hit, estimate_median
from .ties import Around, chance_of_any, expected_hits, first_rank

DEPTH = 1000  # of the lists; a first hit behind them counts as infinitely far, which leaves most medians as they are


class _Queries(NamedTuple):
    """The images with one finding, as queries."""

    place: NDArray[np.int64]  # [q] of the image
    hits: NDArray[np.bool_]  # [q, depth]
    similarity: NDArray[np.float32]  # [q, depth]
    relevant: NDArray[np.int64]  # [q] images of other patients with the finding
    candidates: NDArray[np.int64]  # [q] images of other patients about which it is known


def label_retrieval(
    query: Tensor,
    gallery: Tensor,
    labels: ArrayLike,
    names: Sequence[str],
    patients: Groups,
    *,
    ks: Sequence[int] = (1, 5, 10),
    index: Index = "exact",
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """Rank the other patients' items for each image with a finding; a hit has the same finding.

    Where items are equally similar, each score is its mean over their orders (within the list of the 1,000 most similar
    ones), so the order of the images is of no account.

    Each finding is scored by itself, among the items about which it is known, and then the findings are averaged: in a
    set where most images share a frequent finding, one pooled score would be that finding's prevalence.

    Args:
        query: `[n, d]` features or projections of n images.
        gallery: `[n, d]` of what is ranked: the same images, or their reports' projections in the same order.
        labels: `[n, c]` of 1, 0, and NaN or -1 (left out).
        names: `[c]` findings.
        patients: `[n]`; nothing of the query's own patient is ranked.
        ks: cut-offs; those above the number of candidates are left out.
        index: see `nearest`.
        resamples: draws of patients (as queries) for the 95 % intervals.
        seed: of the draws, and of equals that the lists' end cuts through.

    Returns:
        {"queries", "p_at_k", "r_at_k", "median_rank": Estimate, "findings": {name: {"queries", "p_at_k", …} or
        {"reason"}}}: share of hits among the first k; share of queries with a hit among
        them; rank of the first hit, over the queries of all findings. `trivial` is exact. Without a finding that two
        patients share, {"reason", "findings"} alone.
    """
    truth = np.asarray(labels, dtype=np.float64)
    truth = np.where(truth == -1, np.nan, truth)
    if not len(query) == len(gallery) == len(truth) == len(patients):
        raise CxrError(
            f"Retrieval by finding got {len(query)} queries, {len(gallery)} items, {len(truth)} rows of labels and "
            f"{len(patients)} patients: they must pair up."
        )
    codes = np.unique(np.asarray(patients).astype(str), return_inverse=True)[1]
    lists: dict[bytes, Neighbours] = {}  # findings that are known of the same images share their lists
    found: dict[str, _Queries] = {}
    result: dict[str, Any] = {"findings": {}}
    for i, name in enumerate(names):
        if len(np.unique(codes[truth[:, i] == 1])) < 2:
            result["findings"][name] = {"queries": 0, "reason": "no two patients have it"}
            continue
        known = np.flatnonzero(~np.isnan(truth[:, i]))
        key = known.tobytes()
        if key not in lists:
            part = codes[known]
            lists[key] = nearest(
                query[known], gallery[known], DEPTH, query_groups=part, gallery_groups=part, index=index, seed=seed
            )
        found[name] = _queries(truth[known, i] == 1, codes[known], lists[key], known)
    if not found:
        return result | {"queries": 0, "reason": "no finding that two patients have"}
    cutoffs = [k for k in ks if k <= min(one.candidates.min() for one in found.values())]
    draws = Draws.of(codes, resamples, seed)
    for name, one in found.items():
        result["findings"][name] = {"queries": len(one.place)} | _scores([one], cutoffs, draws)
    result["queries"] = sum(len(one.place) for one in found.values())
    return result | _scores(list(found.values()), cutoffs, draws)


def _queries(positive: NDArray[np.bool_], codes: NDArray[Any], lists: Neighbours, known: NDArray[np.int64]) -> _Queries:
    rows = np.flatnonzero(positive)
    own = np.bincount(codes)[codes[rows]]
    own_positive = np.bincount(codes, weights=positive)[codes[rows]].astype(np.int64)
    places = lists.places[rows]
    hits = positive[places] & (places != NOBODY)
    return _Queries(known[rows], hits, lists.similarity[rows], positive.sum() - own_positive, len(codes) - own)


def _scores(findings: list[_Queries], ks: list[int], draws: Draws) -> dict[str, Estimate]:
    """Means over the findings of each one's mean over its queries; the median is that of all queries together."""
    depth = max(one.hits.shape[1] for one in findings)
    found = [_chance(one, depth) for one in findings]
    scores = {}
    for k in ks:
        around = [_around(one, one.similarity[:, k - 1]) for one in findings]
        precision = [expected_hits(counts, k) / k for counts in around]
        share = [float((one.relevant / one.candidates).mean()) for one in findings]
        scores[f"p_at_{k}"] = _macro(findings, precision, share, draws)
        reached = [chance_of_any(counts, k) for counts in around]
        scores[f"r_at_{k}"] = _macro(findings, reached, [float(curve[k - 1]) for curve in found], draws)
    rank = np.concatenate([_first_rank(one) for one in findings])
    together = np.average(found, axis=0, weights=[len(one.place) for one in findings])
    median = estimate_median(rank, together, draws[np.concatenate([one.place for one in findings])])
    if all(np.isfinite(end) for end in (median.value, median.lo, median.hi) if end is not None):
        scores["median_rank"] = median
    return scores


def _around(queries: _Queries, level: NDArray[np.float32]) -> Around:
    """Around a score `[q]` of each query."""
    above, tied = queries.similarity > level[:, None], queries.similarity == level[:, None]
    return Around(*(part.sum(axis=1) for part in (above, above & queries.hits, tied, tied & queries.hits)))


def _first_rank(queries: _Queries) -> Floats:
    """`[q]`, infinite where the list has no hit."""
    best = np.where(queries.hits, queries.similarity, -np.inf).max(axis=1)
    above, _, tied, tied_hits = _around(queries, best)
    return np.where(queries.hits.any(axis=1), first_rank(above, tied, np.maximum(tied_hits, 1))[0], np.inf)


def _macro(findings: list[_Queries], values: list[NDArray[Any]], chance: Sequence[float], draws: Draws) -> Estimate:
    drawn = [draws[one.place].mean(value) for value, one in zip(values, findings, strict=True)]
    return estimate(drawn, float(np.mean(chance)))


def _chance(queries: _Queries, depth: int) -> Floats:
    """`[depth]` probability of a hit among the first k of a random ranking, mean over the queries."""
    total = np.zeros(depth)
    for n in np.unique(queries.candidates):
        some = queries.relevant[queries.candidates == n]
        curve = chance_of_hit(some, int(n))[:depth]
        total += len(some) * np.pad(curve, (0, depth - len(curve)), constant_values=1.0)
    return total / len(queries.place)
