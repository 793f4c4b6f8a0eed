"""Nearest neighbours by cosine similarity: exact by chunks of queries, or by a faiss index."""

from __future__ import annotations

import logging
from typing import Literal

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor
from torch.nn.functional import normalize

from scripts.errors import CxrError

Index = Literal["exact", "faiss"]
Places = NDArray[np.int64]
CHUNK = 1024  # queries ranked at once, so that memory grows with n and not with n squared
NOBODY = -1


def nearest(
    query: Tensor,
    gallery: Tensor,
    k: int,
    *,
    query_groups: ArrayLike | None = None,
    gallery_groups: ArrayLike | None = None,
    index: Index = "exact",
    seed: int = 0,
) -> Places:
    """The k most similar rows of `gallery` for each query, the most similar first.

    Equal ones stand in random order (by `seed`), so a collapsed model finds what chance does and not more.

    Args:
        query: `[q, d]`, of any length each.
        gallery: `[n, d]`.
        k: at most; n where that is less.
        query_groups, gallery_groups: `[q]` and `[n]`: what shares its query's group is left out (own patient).
        index: `exact` compares with all by a matrix product; `faiss` searches its flat inner-product index, which gives
            the same and needs the package faiss-cpu or faiss-gpu.
        seed: of the order of equals.

    Returns:
        `[q, k]` rows of the gallery; -1 where a query has fewer left.

    Raises:
        CxrError: there is no such index, or faiss is not installed.
    """
    if index not in ("exact", "faiss"):
        raise CxrError(f"index must be exact or faiss, not {index!r}.")
    order = np.random.default_rng(seed).permutation(len(gallery))
    a, b = (normalize(side.detach().float(), dim=1).cpu() for side in (query, gallery))
    b = b[torch.from_numpy(order)]
    own = None
    if query_groups is not None and gallery_groups is not None:
        both = np.concatenate([np.asarray(one).astype(str) for one in (query_groups, gallery_groups)])
        codes = np.unique(both, return_inverse=True)[1]
        own = codes[: len(a)], codes[len(a) :][order]
    k = min(k, len(b))
    found = _exact(a, b, k, own) if index == "exact" else _faiss(a, b, k, own)
    return np.where(found == NOBODY, NOBODY, order[found])


def _exact(query: Tensor, gallery: Tensor, k: int, own: tuple[Places, Places] | None) -> Places:
    parts = []
    for start in range(0, len(query), CHUNK):
        similarity = query[start : start + CHUNK] @ gallery.T
        if own is not None:
            same = own[0][start : start + CHUNK, None] == own[1]
            similarity.masked_fill_(torch.from_numpy(same), -torch.inf)
        best = similarity.topk(k, dim=1)
        parts.append(best.indices.masked_fill(best.values == -torch.inf, NOBODY).numpy())
    return np.concatenate(parts)


def _faiss(query: Tensor, gallery: Tensor, k: int, own: tuple[Places, Places] | None) -> Places:
    # Its loader tells of each set of instructions that it has no build for.
    logging.getLogger("faiss.loader").setLevel(logging.WARNING)
    try:
        import faiss
    except ImportError as error:
        raise CxrError(
            "index=faiss: faiss is not installed. pip install faiss-cpu, or leave index at exact."
        ) from error
    flat = faiss.IndexFlatIP(gallery.shape[1])
    flat.add(np.ascontiguousarray(gallery.numpy()))
    largest = 0 if own is None else int(np.bincount(own[1]).max())
    found = flat.search(np.ascontiguousarray(query.numpy()), min(k + largest, len(gallery)))[1].astype(np.int64)
    if own is None:
        return found
    # Own ones behind the others, whose order stays.
    same = own[0][:, None] == own[1][found]
    kept = np.take_along_axis(np.where(same, NOBODY, found), np.argsort(same, axis=1, kind="stable"), axis=1)
    return kept[:, :k]
