"""Image-report retrieval against its chance level."""

from __future__ import annotations

from collections.abc import Sequence
from math import lgamma
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize

from scripts.errors import CxrError
from scripts.metrics.bootstrap import Floats, Groups, patient_weights, percentile_interval, weighted_mean

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

    Several images may share one report: every pair with the same text is a hit. Ties are broken at random (by `seed`),
    so a collapsed model scores chance and not more.

    Args:
        image: `[n, d]` projections of the images.
        text: `[n, d]` projections of their reports.
        text_keys: `[n]` the report or its hash.
        groups: `[n]` patients, for 95 % intervals over patients drawn with replacement as queries (the gallery stays);
            None = none.
        ks: cut-offs; those above n are left out.
        resamples: bootstrap draws.
        seed: of ties and draws.

    Returns:
        {"n", "texts", "image_to_report": {score: {"value", "chance", "lo", "hi"}}, "report_to_image": {…}}. Scores:
        `p_at_k` share of hits among the first k, `r_at_k` share of queries with a hit among the first k, `mrr`,
        `median_rank` of the first hit. `chance` is the exact expectation under a random ranking.
    """
    if not len(image) == len(text) == len(text_keys):
        raise CxrError(
            f"Retrieval got {len(image)} images, {len(text)} reports, {len(text_keys)} report keys: they must pair up."
        )
    if len(image) < 2:
        raise CxrError(f"Retrieval needs at least 2 image-report pairs, got {len(image)}.")
    key, names = pd.factorize(pd.Series(list(text_keys), dtype=object))  # an array of str is as wide as its longest
    weights = None if groups is None else patient_weights(groups, resamples, seed)
    cutoffs = [k for k in ks if k <= len(image)]
    a, b = (normalize(side.detach().float(), dim=1).cpu() for side in (image, text))
    return {
        "n": len(image),
        "texts": len(names),
        "image_to_report": _direction(a, b, key, cutoffs, weights, seed),
        "report_to_image": _direction(b, a, key, cutoffs, weights, seed),
    }


def flatten_retrieval(result: dict[str, Any]) -> dict[str, float]:
    """The values alone, as `image_to_report_p_at_1`, …, for trackers that want a flat dict."""
    return {
        f"{way}_{score}": entry["value"]
        for way in ("image_to_report", "report_to_image")
        for score, entry in result[way].items()
    }


def _direction(
    query: Tensor, gallery: Tensor, key: NDArray[Any], ks: list[int], weights: Floats | None, seed: int
) -> dict[str, dict[str, float]]:
    shuffled = np.random.default_rng(seed).permutation(len(gallery))
    hits_at: dict[int, list[NDArray[Any]]] = {k: [] for k in ks}
    first: list[NDArray[Any]] = []
    for start in range(0, len(query), CHUNK):
        similarity = query[start : start + CHUNK] @ gallery[torch.from_numpy(shuffled)].T
        hit = torch.from_numpy(key[shuffled] == key[start : start + CHUNK, None])
        first.append(_first_hit(similarity, hit).numpy())
        best = hit.gather(1, similarity.topk(max(ks, default=1), dim=1).indices).numpy()
        for k in ks:
            hits_at[k].append(best[:, :k].sum(axis=1))
    rank = np.concatenate(first)
    hits = {k: np.concatenate(parts) for k, parts in hits_at.items()}
    found = chance_of_hit(np.bincount(key)[key], len(gallery))
    exactly = np.diff(found, prepend=0.0)

    scores: dict[str, dict[str, float]] = {}
    for k in ks:
        scores[f"p_at_{k}"] = mean_score(hits[k] / k, float((np.bincount(key)[key] / len(gallery)).mean()), weights)
        scores[f"r_at_{k}"] = mean_score(hits[k] > 0, float(found[k - 1]), weights)
    scores["mrr"] = mean_score(1 / rank, float((exactly / np.arange(1, len(found) + 1)).sum()), weights)
    scores["median_rank"] = median_score(rank, found, weights)
    return scores


def _first_hit(similarity: Tensor, hit: Tensor) -> Tensor:
    """`[q]` rank, from 1, of the most similar hit of `[q, n]`; of equals the one that stands first comes first.

    Counting what is more similar costs one pass, where sorting all n for each query took minutes an epoch.
    """
    best = similarity.masked_fill(~hit, -torch.inf).amax(dim=1, keepdim=True)
    equal = similarity == best
    place = torch.arange(similarity.shape[1])
    first = torch.where(equal & hit, place, similarity.shape[1]).amin(dim=1, keepdim=True)
    return 1 + (similarity > best).sum(dim=1) + (equal & (place < first)).sum(dim=1)


def mean_score(values: NDArray[Any], chance: float, weights: Floats | None) -> dict[str, float]:
    """Mean over the queries, beside its chance level; with an interval where there are `weights` `[B, q]`."""
    entry = {"value": float(values.mean()), "chance": chance}
    return entry if weights is None else entry | percentile_interval(weighted_mean(values, weights))._asdict()


def median_score(rank: NDArray[Any], found: Floats, weights: Floats | None) -> dict[str, float]:
    """Median rank of the first hit, likewise; chance is the first rank by which half of the queries have theirs.

    Args:
        rank: `[q]`.
        found: `[n]` of `chance_of_hit`.
        weights: `[B, q]`.
    """
    entry = {"value": float(np.median(rank)), "chance": float(np.searchsorted(found, 0.5 - 1e-12) + 1)}
    return entry if weights is None else entry | percentile_interval(weighted_median(rank, weights))._asdict()


def weighted_median(values: NDArray[Any], weights: Floats) -> Floats:
    """`[B]` median of `values` `[n]` in each draw of `weights` `[B, n]`; NaN where a draw has no weight."""
    order = np.argsort(values, kind="stable")
    ordered, total = np.asarray(values, dtype=np.float64)[order], np.cumsum(weights[:, order], axis=1)
    half = total[:, -1:] / 2
    # The mean of the two middle ones, which are one where the count is odd.
    low, high = (np.minimum(side.sum(axis=1), len(ordered) - 1) for side in (total < half, total <= half))
    return np.where(half[:, 0] > 0, (ordered[low] + ordered[high]) / 2, np.nan)


def chance_of_hit(relevant: NDArray[Any], n: int) -> Floats:
    """`[n]` probability that a random ranking of n items has a hit among the first k = 1 … n, mean over the queries.

    A query with r relevant items misses the first k with probability C(n - r, k) / C(n, k).
    """
    log_factorial = np.array([lgamma(i + 1) for i in range(n + 1)])
    k = np.arange(1, n + 1)
    found = np.zeros(n)
    for r, count in zip(*np.unique(relevant, return_counts=True), strict=True):
        rest = np.clip(n - r - k, 0, None)
        miss = np.exp(log_factorial[n - r] - log_factorial[rest] + log_factorial[n - k] - log_factorial[n])
        found += count * (1 - np.where(k > n - r, 0.0, miss))
    return found / len(relevant)
