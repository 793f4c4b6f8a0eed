"""Classification scores against scikit-learn, with weights as against repeated rows, and hand-computed cases."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    f1_score,
    precision_recall_curve,
    recall_score,
    roc_auc_score,
    roc_curve,
)

from scripts.metrics.binary import (
    accuracy,
    all_right,
    class_aurocs,
    confusion,
    decide,
    f1,
    sensitivity,
    specificity,
    weighted_areas,
    weighted_auroc,
)
from scripts.statistics.draws import Draws
from scripts.statistics.estimate import mean_over_classes
from scripts.tasks.classification.calibration import predicted_probabilities
from scripts.tasks.classification.thresholds import best_f1_threshold


def case(prevalence=0.5, levels=None, n=200, seed=0):
    """Labels, scores that know something about them (rounded: ties), and draws of 60 patients."""
    rng = np.random.default_rng(seed)
    labels = (rng.random(n) < prevalence).astype(float)
    scores = rng.normal(size=n) + labels
    draws = Draws.of(rng.integers(0, 60, n), 12, seed=seed)
    return labels, scores if levels is None else np.round(scores * levels), draws


def each(draws):
    """`[D, n]` how often each image is in each draw."""
    return draws.map(lambda weights: weights)


def repeated(values, weights):
    return np.repeat(values, weights.astype(int))


CASES = pytest.mark.parametrize(
    ("prevalence", "levels"), [(0.5, None), (0.5, 1), (0.08, None), (0.9, 3)], ids=["even", "ties", "rare", "common"]
)


@CASES
def test_areas_equal_sklearn(prevalence, levels):
    labels, scores, draws = case(prevalence, levels)
    area, precision, _ = weighted_areas(labels, scores, draws)
    for found, score in ((area, roc_auc_score), (precision, average_precision_score)):
        expected = [score(repeated(labels, w), repeated(scores, w)) for w in each(draws)]
        np.testing.assert_allclose(found, expected, atol=1e-12)


def test_unknown_labels_are_left_out():
    labels, scores, draws = case()
    known = np.arange(200) % 3 > 0
    holes = np.where(known, labels, np.nan)
    expected = weighted_areas(labels[known], scores[known], draws[known])
    for found, wanted in zip(weighted_areas(holes, scores, draws), expected, strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-12)


@CASES
def test_sensitivity_at_a_specificity_is_a_point_of_sklearns_curve(prevalence, levels):
    labels, scores, draws = case(prevalence, levels)
    expected = []
    for w in each(draws):
        false, true, _ = roc_curve(repeated(labels, w), repeated(scores, w), drop_intermediate=False)
        expected.append(true[1 - false >= 0.9 - 1e-12].max())
    np.testing.assert_allclose(weighted_areas(labels, scores, draws)[2], expected, atol=1e-12)


def test_the_specificity_asked_for_is_allowed_itself():
    # One of ten negatives above both positives: specificity is 0.9 where both are found.
    labels = np.array([0, 1, 1] + [0] * 9)
    scores = np.arange(12)[::-1]
    assert weighted_areas(labels, scores, Draws.once(12), 0.9)[2] == [1.0]
    assert weighted_areas(labels, scores, Draws.once(12), 0.95)[2] == [0.0]


@CASES
def test_scores_of_answers_equal_sklearn(prevalence, levels):
    labels, scores, draws = case(prevalence, levels)
    answer = (scores > 0.4).astype(float)
    counts = confusion(labels, answer, draws)
    for found, score in (
        (f1(counts), f1_score),
        (sensitivity(counts), recall_score),
        (specificity(counts), lambda y, a: recall_score(1 - y, 1 - a)),
        (accuracy(counts), accuracy_score),
    ):
        expected = [score(repeated(labels, w), repeated(answer, w)) for w in each(draws)]
        np.testing.assert_allclose(found, expected, atol=1e-12)


def test_a_draw_without_what_a_score_needs_is_nan():
    labels, scores = np.array([1.0, 0, 0]), np.array([0.9, 0.5, 0.1])
    draws = Draws.of_weights([[0, 1, 1], [1, 0, 0], [0, 0, 0]])
    counts = confusion(labels, scores > 0.3, draws)
    for found, expected in (
        (weighted_areas(labels, scores, draws)[0], [np.nan, np.nan, np.nan]),
        (weighted_areas(labels, scores, draws)[1], [np.nan, 1, np.nan]),
        (weighted_areas(labels, scores, draws)[2], [np.nan, np.nan, np.nan]),
        (f1(counts), [np.nan, 1, np.nan]),
        (sensitivity(counts), [np.nan, 1, np.nan]),
        (specificity(counts), [0.5, np.nan, np.nan]),
        (accuracy(counts), [0.5, 1, np.nan]),
    ):
        np.testing.assert_array_equal(found, expected)


def test_a_large_set_is_scored_a_few_draws_at_a_time(monkeypatch):
    labels, scores, draws = case()
    whole = weighted_areas(labels, scores, draws, 0.8)
    monkeypatch.setattr("scripts.statistics.draws.CHUNK", 1000)
    np.testing.assert_array_equal(weighted_areas(labels, scores, draws, 0.8), whole)


def test_four_wrong_answers_of_four_classes_are_not_half_right():
    # Ignite's Accuracy on one-hot vectors: 0.5, for two of each image's four elements agree.
    truth, answer = np.eye(4), decide(np.eye(4)[[1, 2, 3, 0]], "multiclass")
    assert all_right(truth, answer).mean() == 0 == accuracy_score(truth, answer)
    answer[0] = truth[0]
    assert all_right(truth, answer).mean() == 0.25 == accuracy_score(truth, answer)


def test_unknown_labels_are_neither_right_nor_wrong():
    truth = np.array([[1, np.nan], [0, 1], [np.nan, np.nan]])
    np.testing.assert_array_equal(all_right(truth, np.array([[1, 1], [0, 0], [1, 1]])), [1, 0, np.nan])


def test_decisions():
    table = [[0.2, 0.5], [0.7, 0.1]]
    np.testing.assert_array_equal(decide(table, "multilabel"), [[0, 1], [1, 0]])
    np.testing.assert_array_equal(decide(table, "multilabel", [0.1, 0.1]), [[1, 1], [1, 1]])
    np.testing.assert_array_equal(decide(table, "multiclass"), [[0, 1], [1, 0]])


def test_macro_is_over_the_classes_present():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, (80, 3)).astype(float)
    labels[:, 1], labels[:20, 2] = 0, np.nan
    logits = rng.normal(size=(80, 3))
    draws = Draws.of(np.arange(80) // 2, 5)
    expected = [
        np.mean([roc_auc_score(repeated(labels[k, i], w[k]), repeated(logits[k, i], w[k])) for i, k in parts])
        for w in each(draws)
        for parts in [[(0, slice(None)), (2, slice(20, None))]]
    ]
    drawn = [weighted_auroc(labels[:, i], logits[:, i], draws) for i in range(3)]
    np.testing.assert_allclose(mean_over_classes(drawn), expected, atol=1e-12)
    classes, macro = class_aurocs(labels, logits, draws)
    assert (classes[1].value, classes[1].reason) == (None, "no positives")
    assert macro.value == pytest.approx(expected[0], abs=1e-12)
    assert macro.reason == "over 2 of 3 classes"
    told, _ = class_aurocs(labels, logits, draws, ["", "", "not asked for"])
    assert [one.reason for one in told] == ["", "no positives", "not asked for"]


def test_multiclass_scores_equal_sklearn_one_against_the_rest():
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 3, 90)
    p = predicted_probabilities(rng.normal(size=(90, 3)) + np.eye(3)[truth], "multiclass")
    np.testing.assert_allclose(p.sum(axis=1), 1)
    # Logarithms of probabilities are logits too, and rank images as the probabilities do.
    expected = roc_auc_score(truth, p, multi_class="ovr", average="macro")
    _, macro = class_aurocs(np.eye(3)[truth], np.log(p), Draws.once(90))
    assert macro.value == pytest.approx(expected, abs=1e-12)


def test_a_class_that_a_draw_lost_is_left_out_of_that_draw():
    draws = mean_over_classes([np.array([0.8, np.nan, np.nan]), np.array([0.6, 0.5, np.nan])])
    np.testing.assert_allclose(draws, [0.7, 0.5, np.nan])


@CASES
def test_the_threshold_has_the_best_f1_of_sklearns_curve(prevalence, levels):
    labels, scores, _ = case(prevalence, levels)
    threshold = best_f1_threshold(labels, scores)
    precision, recall, _ = precision_recall_curve(labels, scores)
    best = np.max(2 * precision * recall / np.maximum(precision + recall, 1e-12))
    assert f1_score(labels, scores >= threshold) == pytest.approx(best)


@pytest.mark.parametrize(
    ("labels", "scores", "expected"),
    [
        ([1, 1, 0, 0], [0.9, 0.7, 0.3, 0.1], 0.5),
        ([np.nan, 1, 0, 0], [0.6, 0.7, 0.3, 0.1], 0.5),
        ([0, 1, 0], [0.2, 0.2, 0.1], 0.15),
        ([0, 1], [0.8, 0.3], 0.3),
        ([0, 0, np.nan], [0.8, 0.3, 0.1], None),
        ([1, 1], [0.8, 0.3], None),
        ([np.nan], [0.8], None),
    ],
    ids=["between", "unknown left out", "tied scores together", "all positive", "no positives", "no negatives", "none"],
)
def test_threshold_by_hand(labels, scores, expected):
    assert best_f1_threshold(labels, scores) == (None if expected is None else pytest.approx(expected))
