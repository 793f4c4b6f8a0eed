"""Nearest neighbours by cosine similarity: exact by chunks of queries, or by a faiss index."""

from __future__ import annotations

import logging
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor
from torch.nn.functional import normalize

from ..errors import CxrError

Index = Literal["exact", "faiss"]
Places = NDArray[np.int64]
CHUNK = 1024  # queries ranked at once, so that memory grows with n and not with n squared
NOBODY = -1


class Neighbours(NamedTuple):
    """The most similar items of each query, the most similar first.

    Attributes:
        places: `[q, k]` rows of the gallery; -1 where a query has fewer left.
        similarity: `[q, k]` cosines; -inf there.
    """

    places: Places
    similarity: NDArray[np.float32]


def nearest(
    query: Tensor,
    gallery: Tensor,
    k: int,
    *,
    query_groups: ArrayLike | None = None,
    gallery_groups: ArrayLike | None = None,
    index: Index = "exact",
    seed: int = 0,
) -> Neighbours:
    """The k most similar rows of `gallery` for each query.

    Equal ones stand in random order (by `seed`), so that where k cuts through them those that are left are a sample.

    Args:
        query: `[q, d]`, of any length each.
        gallery: `[n, d]`.
        k: at most; n where that is less.
        query_groups, gallery_groups: `[q]` and `[n]`: what shares its query's group is left out (own patient).
        index: `exact` compares with all by a matrix product; `faiss` searches its flat inner-product index, which gives
            the same and needs the package faiss-cpu or faiss-gpu.
        seed: of the order of equals.

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
    found, similarity = _exact(a, b, k, own) if index == "exact" else _faiss(a, b, k, own)
    nobody = found == NOBODY
    return Neighbours(np.where(nobody, NOBODY, order[found]), np.where(nobody, -np.inf, similarity))


def _exact(query: Tensor, gallery: Tensor, k: int, own: tuple[Places, Places] | None) -> Neighbours:
    places, values = [], []
    for start in range(0, len(query), CHUNK):
        similarity = query[start : start + CHUNK] @ gallery.T
        if own is not None:
            same = own[0][start : start + CHUNK, None] == own[1]
            similarity.masked_fill_(torch.from_numpy(same), -torch.inf)
        best = similarity.topk(k, dim=1)
        places.append(best.indices.masked_fill(best.values == -torch.inf, NOBODY).numpy())
        values.append(best.values.numpy())
    return Neighbours(np.concatenate(places), np.concatenate(values))


def _faiss(query: Tensor, gallery: Tensor, k: int, own: tuple[Places, Places] | None) -> Neighbours:
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
    similarity, places = flat.search(np.ascontiguousarray(query.numpy()), min(k + largest, len(gallery)))
    found = places.astype(np.int64)
    if own is None:
        return Neighbours(found, similarity)
    # Own ones behind the others, whose order stays.
    same = own[0][:, None] == own[1][found]
    order = np.argsort(same, axis=1, kind="stable")[:, :k]
    kept = np.take_along_axis(np.where(same, NOBODY, found), order, axis=1)
    return Neighbours(kept, np.take_along_axis(similarity, order, axis=1))
