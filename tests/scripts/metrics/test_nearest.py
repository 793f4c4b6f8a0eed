"""Neighbours by hand, ties, own patients; faiss finds the same."""

from __future__ import annotations

import sys
from importlib import import_module

import numpy as np
import pytest
import torch

from scripts.errors import CxrError
from scripts.metrics.nearest import nearest

pytest.importorskip("faiss")
INDEXES = ["exact", "faiss"]
ANGLES = torch.tensor([0.0, 10.0, 25.0, 80.0, 180.0]).deg2rad()
POINTS = torch.stack([ANGLES.cos(), ANGLES.sin()], dim=1)


@pytest.mark.parametrize("index", INDEXES)
def test_neighbours_stand_in_the_order_of_the_angle(index: str) -> None:
    lengths = torch.tensor([[1.0], [7.0], [0.1], [3.0], [2.0]])  # of no account to a cosine
    found = nearest(POINTS, POINTS * lengths, 3, index=index)  # type: ignore[arg-type]
    assert found.places.tolist() == [[0, 1, 2], [1, 0, 2], [2, 1, 0], [3, 2, 1], [4, 3, 2]]


@pytest.mark.parametrize("index", INDEXES)
def test_own_groups_are_left_out_and_what_is_missing_is_told(index: str) -> None:
    groups = ["a", "a", "b", "b", "a"]
    found = nearest(POINTS, POINTS, 5, query_groups=groups, gallery_groups=groups, index=index)  # type: ignore[arg-type]
    others = [[2, 3], [2, 3], [1, 0, 4], [1, 0, 4], [3, 2]]
    assert [[place for place in row if place >= 0] for row in found.places.tolist()] == others
    assert all(row == sorted(row, key=lambda place: place < 0) for row in found.places.tolist())


def test_faiss_finds_what_the_matrix_product_finds() -> None:
    query, gallery = torch.randn(2, 70, 12, generator=torch.Generator().manual_seed(0))
    groups = np.arange(70) // 3
    exact, faiss = (
        nearest(query, gallery, 20, query_groups=groups, gallery_groups=groups, index=index)  # type: ignore[arg-type]
        for index in INDEXES
    )
    np.testing.assert_array_equal(exact.places, faiss.places)
    np.testing.assert_allclose(exact.similarity, faiss.similarity, atol=1e-6)


def test_queries_in_chunks_give_the_same_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    query, gallery = torch.randn(2, 30, 8, generator=torch.Generator().manual_seed(1))
    whole = nearest(query, gallery, 5, query_groups=range(30), gallery_groups=range(30))
    monkeypatch.setattr(import_module("scripts.metrics.nearest"), "CHUNK", 7)
    again = nearest(query, gallery, 5, query_groups=range(30), gallery_groups=range(30))
    np.testing.assert_array_equal(again.places, whole.places)


def test_equals_stand_in_random_order() -> None:
    first = np.concatenate(
        [nearest(torch.ones(1, 4), torch.ones(40, 4), 1, seed=seed).places[0] for seed in range(200)]
    )
    assert 15 < first.mean() < 24  # 19.5 in the mean; always the first, or the last, would not be


@pytest.mark.parametrize(("index", "message"), [("annoy", "exact or faiss"), ("faiss", "pip install faiss-cpu")])
def test_an_index_that_is_not_there_is_named(index: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(CxrError, match=message):
        nearest(POINTS, POINTS, 1, index=index)  # type: ignore[arg-type]
