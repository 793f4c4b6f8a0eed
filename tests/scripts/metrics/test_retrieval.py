"""Retrieval on rankings that can be written down."""

from __future__ import annotations

from importlib import import_module

import numpy as np
import pytest
import torch

from scripts.errors import CxrError
from scripts.metrics.retrieval import flatten_retrieval, retrieval, weighted_median
from scripts.statistics.draws import Draws


def level(found):
    return found.value, found.trivial


def test_perfect_and_reversed_pairs():
    axes = torch.eye(4)
    perfect = retrieval(axes, axes, list("abcd"), ks=(1, 2))["image_to_report"]
    assert level(perfect["p_at_1"]) == (1, 0.25)
    assert level(perfect["p_at_2"]) == (0.5, 0.25)  # one report of each: one hit among two
    assert level(perfect["r_at_2"]) == (1, pytest.approx(0.5))
    assert perfect["mrr"].value == 1
    assert perfect["mrr"].trivial == pytest.approx((1 + 1 / 2 + 1 / 3 + 1 / 4) / 4)
    assert level(perfect["median_rank"]) == (1, 2)
    worst = retrieval(axes, -axes, list("abcd"), ks=(1,))["image_to_report"]
    assert worst["mrr"].value == 0.25
    assert worst["median_rank"].value == 4


def test_duplicates_of_one_report_all_count():
    # Images 0 and 1 share report a; image 1 points at neither, but its nearest report is a's other copy.
    image = torch.tensor([[1.0, 0, 0], [0.9, 0.1, 0], [0, 0, 1]])
    text = torch.tensor([[1.0, 0, 0], [1.0, 0, 0], [0, 0, 1]])
    result = retrieval(image, text, ["a", "a", "b"], ks=(1, 2))
    assert result["texts"] == 2
    assert level(result["image_to_report"]["p_at_1"]) == (1, pytest.approx((2 + 2 + 1) / 9))
    assert result["image_to_report"]["p_at_2"].value == pytest.approx((1 + 1 + 0.5) / 3)
    # A hit among the first 2 of 3: certain with two copies, 2/3 with one.
    assert result["image_to_report"]["r_at_2"].trivial == pytest.approx((1 + 1 + 2 / 3) / 3)


def test_chance_equals_the_mean_of_random_projections():
    rng = np.random.default_rng(0)
    keys = [str(k) for k in rng.integers(0, 12, 40)]
    draws = []
    for seed in range(300):
        image, text = torch.randn(2, 40, 64, generator=torch.Generator().manual_seed(seed))
        result = retrieval(image, text, keys)["image_to_report"]
        draws.append([result[name].value for name in ("p_at_1", "p_at_5", "r_at_5", "mrr")])
    chance = [result[name].trivial for name in ("p_at_1", "p_at_5", "r_at_5", "mrr")]
    np.testing.assert_allclose(np.mean(draws, axis=0), chance, atol=0.012)


def test_collapsed_projections_score_chance_and_not_one():
    same = torch.ones(50, 8)
    result = retrieval(same, same, [str(i) for i in range(50)])["image_to_report"]
    assert result["p_at_1"].value == pytest.approx(0.02)
    assert result["median_rank"].value == pytest.approx(25, abs=1)


def test_equals_give_the_mean_over_their_orders():
    # Image 0 is as near to report 3 as to the three others; the other images are at right angles to all of them.
    image = torch.tensor([[1.0, 0, 0, 1], [0, 1, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]])
    text = torch.tensor([[1.0, 0, 0, 0], [1.0, 0, 0, 0], [1.0, 0, 0, 0], [0, 0, 0, 1]])
    found = retrieval(image, text, list("abcd"), ks=(1, 2))["image_to_report"]
    # A random order of four equals: ranks 1 … 4 are as likely, for every image.
    assert found["p_at_1"].value == pytest.approx(1 / 4)
    assert found["r_at_2"].value == pytest.approx(1 / 2)
    assert found["mrr"].value == pytest.approx((1 + 1 / 2 + 1 / 3 + 1 / 4) / 4)
    assert found["median_rank"].value == pytest.approx(2.5)


@pytest.mark.parametrize("groups", [3, 40])
def test_scores_are_the_mean_over_random_orders_of_the_equals(groups):
    """Whole-numbered similarities, many of them equal, against rankings with random tie-breaks."""
    rng = np.random.default_rng(0)
    code, key = rng.integers(0, groups, 40), rng.integers(0, 25, 40)
    image, text = torch.eye(groups)[code], torch.eye(groups)[rng.integers(0, groups, 40)]
    found = retrieval(image, text, [str(k) for k in key], ks=(1, 5, 10))["image_to_report"]
    similarity, hit = (image @ text.T).numpy(), key == key[:, None]
    draws = []
    for _ in range(3000):
        ranked = np.take_along_axis(hit, np.lexsort((rng.random((40, 40)), -similarity), axis=1), axis=1)
        rank = ranked.argmax(axis=1) + 1
        draws.append([ranked[:, :5].mean(), ranked[:, :5].any(axis=1).mean(), ranked[:, :10].mean(), (1 / rank).mean()])
    values = [found[name].value for name in ("p_at_5", "r_at_5", "p_at_10", "mrr")]
    np.testing.assert_allclose(values, np.mean(draws, axis=0), atol=4 * np.std(draws, axis=0).max() / np.sqrt(3000))


def test_the_order_of_the_pairs_does_not_count():
    rng = np.random.default_rng(1)
    image, text = (torch.eye(4)[rng.integers(0, 4, 60)] for _ in range(2))
    keys = np.array([str(k) for k in rng.integers(0, 30, 60)])
    first = flatten_retrieval(retrieval(image, text, keys.tolist()))
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(60)
        again = flatten_retrieval(retrieval(image[order], text[order], keys[order].tolist()))
        assert again == pytest.approx(first)


def test_directions_differ():
    image = torch.tensor([[1.0, 0], [0.9, 0.436]])
    text = torch.tensor([[1.0, 0], [0.95, 0.1]])
    result = flatten_retrieval(retrieval(image, text, ["a", "b"], ks=(1,)))
    assert result["image_to_report_p_at_1"] == 1
    assert result["report_to_image_p_at_1"] == 0.5


def test_interval_over_patients_contains_the_value():
    generator = torch.Generator().manual_seed(0)
    image = torch.randn(80, 16, generator=generator)
    text = image + 1.5 * torch.randn(80, 16, generator=generator)
    score = retrieval(image, text, [str(i) for i in range(80)], groups=np.arange(80) // 2)["image_to_report"]["p_at_1"]
    assert 0 < score.lo < score.value < score.hi < 1


def test_queries_in_chunks_give_the_same_scores(monkeypatch):
    image, text = torch.randn(2, 30, 8, generator=torch.Generator().manual_seed(0))
    keys = [str(i // 2) for i in range(30)]
    whole = retrieval(image, text, keys)
    monkeypatch.setattr(import_module("scripts.metrics.retrieval"), "CHUNK", 7)
    assert retrieval(image, text, keys) == whole


@pytest.mark.parametrize(("n", "keys", "message"), [(1, ["a"], "at least 2"), (3, ["a"], "must pair up")])
def test_unusable_pairs_are_named(n, keys, message):
    with pytest.raises(CxrError, match=message):
        retrieval(torch.ones(n, 2), torch.ones(n, 2), keys)


def test_the_median_is_numpys_of_the_repeated_values():
    rng = np.random.default_rng(0)
    values, weights = rng.integers(1, 30, 25).astype(float), rng.integers(0, 4, (40, 25)).astype(float)
    expected = [np.median(np.repeat(values, row.astype(int))) for row in weights]
    np.testing.assert_array_equal(weighted_median(values, Draws.of_weights(weights)), expected)
    assert np.isnan(weighted_median(values, Draws.of_weights(np.zeros((1, 25))))).all()


def test_the_median_rank_has_an_interval_too():
    image, text = torch.randn(2, 40, 8, generator=torch.Generator().manual_seed(0))
    rank = retrieval(image, text + image, [str(i) for i in range(40)], groups=range(40))["image_to_report"][
        "median_rank"
    ]
    assert 1 <= rank.lo <= rank.value <= rank.hi < rank.trivial
