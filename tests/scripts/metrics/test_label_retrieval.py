"""Retrieval by finding on rankings that can be written down."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from scripts.errors import CxrError
from scripts.metrics.label_retrieval import label_retrieval
from scripts.metrics.nearest import Index

# Four patients on a line of angles: two with the finding beside each other, two without.
ANGLES = torch.tensor([0.0, 20.0, 45.0, 90.0]).deg2rad()
POINTS = torch.stack([ANGLES.cos(), ANGLES.sin()], dim=1)


def test_neighbours_with_the_finding_are_hits() -> None:
    found = label_retrieval(POINTS, POINTS, [[1], [1], [0], [0]], ["opacity"], list("abcd"), ks=(1, 2), resamples=50)
    # Each of the two queries has one hit among three others, at the first place.
    expected = {"p_at_1": (1, 1 / 3), "r_at_1": (1, 1 / 3), "p_at_2": (0.5, 1 / 3), "r_at_2": (1, 2 / 3)}
    for name, (value, chance) in expected.items():
        assert (found[name].value, found[name].trivial) == (pytest.approx(value), pytest.approx(chance))
        assert found[name].lo <= value <= found[name].hi
    assert (found["median_rank"].value, found["median_rank"].trivial) == (1, 2)
    assert found["queries"] == found["findings"]["opacity"]["queries"] == 2


def test_an_own_image_is_no_answer() -> None:
    # Images 0 and 1 are one patient's and nearest to each other; the other patient with the finding is the farthest.
    found = label_retrieval(POINTS, POINTS, [[1], [1], [0], [1]], ["x"], list("aabc"), ks=(1, 2), resamples=20)
    assert found["p_at_1"].value == 0
    # Queries 0 and 1 have candidates b (no), c (yes); query 3 has 0, 1 (yes) and 2 (no), which is the nearest.
    assert found["p_at_2"].value == pytest.approx((1 / 2 + 1 / 2 + 1 / 2) / 3)
    assert found["p_at_2"].trivial == pytest.approx((1 / 2 + 1 / 2 + 2 / 3) / 3)
    assert found["median_rank"].value == 2


def test_findings_count_alike_and_unknown_labels_are_no_candidates() -> None:
    labels: list[list[float]] = [[1, 1], [1, 0], [0, -1], [np.nan, 1]]
    found = label_retrieval(POINTS, POINTS, labels, ["a", "b"], list("abcd"), ks=(1,), resamples=20)
    assert found["findings"]["a"]["p_at_1"].value == 1
    assert found["findings"]["a"]["p_at_1"].trivial == pytest.approx(1 / 2)  # two others are known
    # b: from 0 the nearest known is 1 (no), from 3 it is 1 (no).
    assert found["findings"]["b"]["p_at_1"].value == 0
    assert found["p_at_1"].value == pytest.approx(1 / 2)


def test_images_find_reports_of_their_finding() -> None:
    found = label_retrieval(POINTS, POINTS.flip(0), [[1], [0], [0], [1]], ["x"], list("abcd"), ks=(1,), resamples=20)
    # Report i lies where image 3 - i does: that of the other patient with the finding lies on the query itself.
    assert found["p_at_1"].value == 1


def test_chance_equals_the_mean_of_random_features() -> None:
    rng = np.random.default_rng(0)
    labels = (rng.random((60, 2)) < [0.15, 0.5]).astype(float)
    patients = rng.integers(0, 30, 60)
    names = ("p_at_5", "r_at_5", "median_rank")
    draws = []
    for seed in range(200):
        features = torch.randn(60, 64, generator=torch.Generator().manual_seed(seed))
        found = label_retrieval(features, features, labels, ["a", "b"], patients, resamples=2)
        draws.append([found[name].value for name in names])
    chance = [found[name].trivial for name in names]
    np.testing.assert_allclose(np.mean(draws, axis=0)[:2], chance[:2], atol=0.012)
    assert np.median([draw[2] for draw in draws]) == pytest.approx(chance[2], abs=1)


def test_collapsed_features_score_chance_and_not_the_order_of_the_table() -> None:
    same, labels = torch.ones(200, 8), np.repeat([1.0, 0.0], 100)[:, None]
    found = label_retrieval(same, same, labels, ["x"], np.arange(200), resamples=20)
    for score in ("p_at_1", "p_at_10", "r_at_5"):
        assert found[score].value == pytest.approx(found[score].trivial)


def test_the_order_of_the_images_does_not_count() -> None:
    rng = np.random.default_rng(1)
    features = torch.eye(5)[rng.integers(0, 5, 80)]  # similarities 0 and 1
    labels, patients = rng.integers(0, 2, (80, 2)).astype(float), rng.integers(0, 50, 80)
    first = label_retrieval(features, features, labels, ["a", "b"], patients, resamples=5)
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(80)
        again = label_retrieval(
            features[order], features[order], labels[order], ["a", "b"], patients[order], resamples=5
        )
        for score in ("p_at_1", "p_at_5", "r_at_5", "median_rank"):
            assert again[score].value == pytest.approx(first[score].value)


def test_both_indexes_give_the_same() -> None:
    pytest.importorskip("faiss")
    features = torch.randn(50, 8, generator=torch.Generator().manual_seed(0))
    labels = np.random.default_rng(0).integers(-1, 2, (50, 3)).astype(float)
    names, patients = ["a", "b", "c"], np.arange(50) // 2
    indexes: tuple[Index, ...] = ("exact", "faiss")
    exact, faiss = (
        label_retrieval(features, features, labels, names, patients, index=index, resamples=20) for index in indexes
    )
    assert exact == faiss


def test_a_finding_of_one_patient_has_no_answer() -> None:
    found = label_retrieval(POINTS, POINTS, [[1], [1], [0], [0]], ["rare"], list("aabc"), resamples=20)
    assert found["findings"]["rare"]["reason"] == "no two patients have it"
    assert found["queries"] == 0
    assert "p_at_1" not in found


def test_what_does_not_pair_up_is_named() -> None:
    with pytest.raises(CxrError, match="pair up"):
        label_retrieval(POINTS, POINTS[:3], [[1]] * 4, ["x"], list("abcd"))
