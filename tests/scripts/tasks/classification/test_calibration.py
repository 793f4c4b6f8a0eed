"""Temperature scaling against hand and grid, calibration error against hand."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from scripts.errors import CxrError
from scripts.statistics.draws import Draws
from scripts.tasks.classification.calibration import (
    Calibration,
    fit_temperature,
    predicted_probabilities,
    read_calibration,
    top_answer,
    weighted_ece,
)


def test_temperature_by_hand():
    # Logits of ±2 that are right three times in four: sigmoid(2 / T) must be 3/4, so T = 2 / ln 3.
    logits = np.array([[2.0], [2], [2], [2], [-2], [-2], [-2], [-2]])
    labels = np.array([[1.0], [1], [1], [0], [0], [0], [0], [1]])
    assert fit_temperature(logits, labels, "multilabel") == pytest.approx(2 / np.log(3), rel=1e-5)
    # Two classes of softmax are one sigmoid of their difference.
    two = np.hstack([logits, np.zeros_like(logits)])
    assert fit_temperature(two, np.hstack([labels, 1 - labels]), "multiclass") == pytest.approx(2 / np.log(3), rel=1e-5)


@pytest.mark.parametrize("mode", ["multilabel", "multiclass"])
def test_temperature_minimises_torchs_loss_over_a_grid(mode):
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(300, 4)) * 3
    if mode == "multiclass":
        truth = np.array([rng.choice(4, p=row) for row in predicted_probabilities(logits, mode, 2.0)])
        labels = np.eye(4)[truth]
    else:
        labels = (rng.random((300, 4)) < predicted_probabilities(logits, mode, 2.0)).astype(float)
        labels[:50, 1] = np.nan
    x, y = torch.from_numpy(logits), torch.from_numpy(labels)
    known = ~y.isnan()

    def loss(t):
        if mode == "multiclass":
            return F.cross_entropy(x / t, y.argmax(1)).item()
        return F.binary_cross_entropy_with_logits(x[known] / t, y[known]).item()

    grid = np.linspace(1, 4, 601)
    best = grid[np.argmin([loss(t) for t in grid])]
    assert fit_temperature(logits, labels, mode) == pytest.approx(best, abs=0.005)
    assert best == pytest.approx(2, abs=0.4)  # the temperature that the labels were drawn with


@pytest.mark.parametrize(
    ("logits", "labels", "expected"),
    [
        ([[3.0], [-3]], [[1], [0]], 1 / 20),
        ([[3.0], [-3]], [[0], [1]], 20),
        ([[3.0], [-3]], [[1], [1]], 1),
        ([[3.0], [-3]], [[np.nan], [np.nan]], 1),
    ],
    ids=["separated", "upside down", "one class", "unknown"],
)
def test_temperature_without_an_optimum(logits, labels, expected):
    assert fit_temperature(logits, labels, "multilabel") == pytest.approx(expected, rel=1e-3)


def test_probabilities():
    np.testing.assert_allclose(predicted_probabilities([[0.0, np.log(3)]], "multilabel"), [[0.5, 0.75]])
    np.testing.assert_allclose(predicted_probabilities([[0.0, np.log(3)]], "multiclass"), [[0.25, 0.75]])
    np.testing.assert_allclose(predicted_probabilities([[0.0, 2 * np.log(3)]], "multilabel", 2), [[0.5, 0.75]])


def test_ece_by_hand():
    # Ten bins. Two at .95, one of them right: gap .45 on 2 of 5. Three at .25, one right: gap 1/3 - .25 on 3 of 5.
    labels, p = [1, 0, 1, 0, 0], [0.95, 0.95, 0.25, 0.25, 0.25]
    expected = 2 / 5 * 0.45 + 3 / 5 * (1 / 3 - 0.25)
    assert weighted_ece(labels, p, Draws.once(5), bins=10)[0] == pytest.approx(expected)
    assert weighted_ece([1, 0], [1.0, 0.0], Draws.once(2))[0] == 0  # 1 belongs to the last bin


def test_weighted_ece_equals_repeated_rows():
    rng = np.random.default_rng(0)
    labels, p = rng.integers(0, 2, 50), rng.random(50)
    draws = Draws.of(np.arange(50) // 2, 6)
    weights = draws.map(lambda some: some).astype(int)
    for found, w in zip(weighted_ece(labels, p, draws), weights, strict=True):
        one = weighted_ece(np.repeat(labels, w), np.repeat(p, w), Draws.once(w.sum()))
        assert found == pytest.approx(one[0])
    assert np.isnan(weighted_ece(labels, p, Draws.of_weights(np.zeros((1, 50))))[0])


def test_top_answer():
    right, confidence = top_answer([[1, 0, 0], [0, 1, 0]], [[0.5, 0.3, 0.2], [0.1, 0.2, 0.7]])
    np.testing.assert_array_equal(right, [1, 0])
    np.testing.assert_array_equal(confidence, [0.5, 0.7])


@pytest.mark.parametrize(
    "calibration", [Calibration("multilabel", 1.5, {"Edema": 0.25}), Calibration("multiclass", 0.5, None)]
)
def test_a_calibration_is_read_as_written(tmp_path, calibration):
    calibration.write(tmp_path / "calibration.json")
    assert read_calibration(tmp_path / "calibration.json") == calibration
    assert json.loads((tmp_path / "calibration.json").read_text())["thresholds"] == calibration.thresholds


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "is not a calibration .*run evaluating"),
        ("[1]", "is not a calibration"),
        ('{"mode": "multilabel", "temperature": 1, "thresholds": [1]}', "is not a calibration"),
        ('{"mode": "multilabel", "temperature": 0, "thresholds": {}}', "temperature must be above 0"),
    ],
)
def test_a_file_that_is_no_calibration_is_named(tmp_path, text, message):
    path = tmp_path / "calibration.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(CxrError, match=message):
        read_calibration(path)
