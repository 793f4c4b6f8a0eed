"""Image-report retrieval against its chance level."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize

from ..errors import CxrError
from ..statistics.draws import Draws, Floats, Groups
from ..statistics.estimate import Estimate, estimate
from .ties import Around, chance_of_any, expected_hits, first_rank, log_choose

CHUNK = 1024  # queries ranked at once, so that memory grows with n and not with n squared


def retrieval(
    image: Tensor,
    text: Tensor,
    text_keys: Sequence[str],
    groups: Groups | None = None,
    *,
    ks: Sequence[int] = (1, 5, 10),
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """Rank all reports for each image, and all images for each report, by cosine similarity.

    Several images may share one report: every pair with the same text is a hit. Where items are equally similar, each
    score is its mean over their orders, so a collapsed model scores chance and the order of the images does not count.

    Args:
        image: `[n, d]` projections of the images.
        text: `[n, d]` projections of their reports.
        text_keys: `[n]` the report or its hash.
        groups: `[n]` patients, for 95 % intervals over patients drawn with replacement as queries (the gallery stays);
            None = none.
        ks: cut-offs; those above n are left out.
        resamples: bootstrap draws.
        seed: of the draws.

    Returns:
        {"n", "texts", "image_to_report": {score: Estimate}, "report_to_image": {…}}. Scores: `p_at_k` share of hits
        among the first k, `r_at_k` share of queries with a hit among the first k, `mrr`, `median_rank` of the first
        hit. `trivial` is the exact expectation under a random ranking.
    """
    if not len(image) == len(text) == len(text_keys):
        raise CxrError(
            f"Retrieval got {len(image)} images, {len(text)} reports, {len(text_keys)} report keys: they must pair up."
        )
    if len(image) < 2:
        raise CxrError(f"Retrieval needs at least 2 image-report pairs, got {len(image)}.")
    key, names = pd.factorize(pd.Series(list(text_keys), dtype=object))  # an array of str is as wide as its longest
    draws = Draws.once(len(image)) if groups is None else Draws.of(groups, resamples, seed)
    cutoffs = [k for k in ks if k <= len(image)]
    a, b = (normalize(side.detach().float(), dim=1).cpu() for side in (image, text))
    return {
        "n": len(image),
        "texts": len(names),
        "image_to_report": _direction(a, b, key, cutoffs, draws),
        "report_to_image": _direction(b, a, key, cutoffs, draws),
    }


def flatten_retrieval(result: dict[str, Any]) -> dict[str, float]:
    """The values alone, as `image_to_report_p_at_1`, …, for trackers that want a flat dict."""
    return {
        f"{way}_{score}": found.value
        for way in ("image_to_report", "report_to_image")
        for score, found in result[way].items()
    }


def _direction(query: Tensor, gallery: Tensor, key: NDArray[Any], ks: list[int], draws: Draws) -> dict[str, Estimate]:
    parts = []
    for start in range(0, len(query), CHUNK):
        similarity = query[start : start + CHUNK] @ gallery.T
        parts.append(_ranked(similarity, torch.from_numpy(key == key[start : start + CHUNK, None]), ks))
    found = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    chance = chance_of_hit(np.bincount(key)[key], len(gallery))
    exactly = np.diff(chance, prepend=0.0)

    levels = {"mrr": float((exactly / np.arange(1, len(chance) + 1)).sum())}
    for k in ks:
        levels |= {f"p_at_{k}": float((np.bincount(key)[key] / len(gallery)).mean()), f"r_at_{k}": float(chance[k - 1])}
    order = [f"{score}_at_{k}" for k in ks for score in "pr"] + ["mrr"]
    scores = {score: estimate(draws.mean(found[score]), levels[score]) for score in order}
    return scores | {"median_rank": estimate_median(found["rank"], chance, draws)}


def _ranked(similarity: Tensor, hit: Tensor, ks: list[int]) -> dict[str, Floats]:
    """Scores `[q]` of each query, from `[q, n]`. Counting what is more similar costs a pass, where sorting all n for
    each query took minutes an epoch.
    """
    found: dict[str, Floats] = {}
    above, _, tied, tied_hits = _around(similarity, hit, similarity.masked_fill(~hit, -torch.inf).amax(dim=1))
    found["rank"], found["mrr"] = first_rank(above, tied, tied_hits)
    top = similarity.topk(min(max(ks, default=1) + 1, similarity.shape[1]), dim=1)
    best = hit.gather(1, top.indices).numpy()
    for k in ks:
        hits = best[:, :k].sum(axis=1).astype(np.float64)
        reached = (hits > 0).astype(np.float64)
        if k < similarity.shape[1]:
            # Only here does the order of equals decide which of them are among the first k.
            split = torch.nonzero(top.values[:, k] == top.values[:, k - 1])[:, 0].numpy()
            if len(split):
                around = _around(similarity[split], hit[split], top.values[split, k - 1])
                hits[split], reached[split] = expected_hits(around, k), chance_of_any(around, k)
        found |= {f"p_at_{k}": hits / k, f"r_at_{k}": reached}
    return found


def _around(similarity: Tensor, hit: Tensor, level: Tensor) -> Around:
    """Of `[q, n]`, around a score `[q]` of each query."""
    above, tied = similarity > level[:, None], similarity == level[:, None]
    return Around(*(part.sum(dim=1).numpy() for part in (above, above & hit, tied, tied & hit)))


def estimate_median(rank: NDArray[Any], found: Floats, draws: Draws) -> Estimate:
    """Median rank of the first hit; trivial is the first rank by which half of the queries have theirs by chance.

    Args:
        rank: `[q]`.
        found: `[n]` of `chance_of_hit`.
        draws: of the q queries.
    """
    return estimate(weighted_median(rank, draws), float(np.searchsorted(found, 0.5 - 1e-12) + 1))


def ranked_entry(found: Estimate) -> dict[str, Any]:
    """For `evaluation.json`: `value` and `chance`, with `lo` and `hi` or the `reason` for having none."""
    entry = {"value": found.value, "chance": found.trivial}
    return entry | ({"reason": found.reason} if found.lo is None else {"lo": found.lo, "hi": found.hi})


def weighted_median(values: NDArray[Any], draws: Draws) -> Floats:
    """`[D]` median of `values` `[n]` in each draw; NaN where a draw has none of them."""
    order = np.argsort(values, kind="stable")
    ordered = np.asarray(values, dtype=np.float64)[order]

    def few(weights: Floats) -> Floats:
        total = np.cumsum(weights, axis=1)
        half = total[:, -1:] / 2
        # The mean of the two middle ones, which are one where the count is odd.
        low, high = (np.minimum(side.sum(axis=1), len(ordered) - 1) for side in (total < half, total <= half))
        return np.where(half[:, 0] > 0, (ordered[low] + ordered[high]) / 2, np.nan)

    return draws[order].map(few)


def chance_of_hit(relevant: NDArray[Any], n: int) -> Floats:
    """`[n]` probability that a random ranking of n items has a hit among the first k = 1 … n, mean over the queries.

    A query with r relevant items misses the first k with probability C(n - r, k) / C(n, k).
    """
    k = np.arange(1, n + 1)
    found = np.zeros(n)
    for r, count in zip(*np.unique(relevant, return_counts=True), strict=True):
        miss = np.exp(log_choose(n - r, np.minimum(k, n - r)) - log_choose(n, k))
        found += count * (1 - np.where(k > n - r, 0.0, miss))
    return found / len(relevant)
