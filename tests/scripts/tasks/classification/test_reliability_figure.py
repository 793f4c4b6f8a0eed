"""Bins of a reliability picture, by hand; Wilson's interval from its published table values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scripts.errors import CxrError
from scripts.statistics.estimate import Estimate
from scripts.tasks.classification.reliability_figure import plot_reliability, reliability_bins


def test_bins_of_equal_count_by_hand() -> None:
    truth = np.array([0, 0, 1, 0, 1, 1.0])
    found = reliability_bins(truth, np.array([0.1, 0.2, 0.3, 0.5, 0.7, 0.9]), 2)
    np.testing.assert_allclose(found.predicted, [0.2, 0.7])
    np.testing.assert_allclose(found.observed, [1 / 3, 2 / 3])
    np.testing.assert_array_equal(found.images, [3, 3])


@pytest.mark.parametrize(
    ("positives", "of", "lo", "hi"), [(0, 10, 0.0, 0.2775), (3, 10, 0.1078, 0.6032), (5, 20, 0.1119, 0.4687)]
)
def test_the_interval_is_wilsons(positives: int, of: int, lo: float, hi: float) -> None:
    truth = np.array([1.0] * positives + [0.0] * (of - positives))
    found = reliability_bins(truth, np.full(of, 0.3), 1)
    np.testing.assert_allclose([found.lo[0], found.hi[0]], [lo, hi], atol=1e-4)


def test_equal_probabilities_are_one_bin() -> None:
    found = reliability_bins(np.r_[np.zeros(10), np.ones(10)], np.r_[np.full(15, 0.2), np.full(5, 0.8)], 10)
    np.testing.assert_array_equal(found.images, [15, 5])
    np.testing.assert_allclose(found.predicted, [0.2, 0.8])


def test_picture_names_the_class_without_labels_and_writes_the_error(tmp_path: Path, drawn: list[Any]) -> None:
    rng = np.random.default_rng(0)
    probability = rng.beta(1, 5, (200, 2))
    truth = (rng.random((200, 2)) < probability).astype(float)
    truth[:, 1] = np.nan
    ece = {"as trained": {"Edema": Estimate(0.0312, 0.02, 0.05)}}
    kinds = {"as trained": probability**2, "temperature 2.0": probability}
    plot_reliability(truth, kinds, ["Edema", "Hernia"], tmp_path / "r.png", ece=ece)
    (figure,) = drawn
    texts = [[text.get_text() for text in axes.texts] for axes in figure.axes]
    assert set(texts[0]) == {"Edema", "ECE 0.031 [0.020, 0.050]"}
    assert "not drawn:\nno known labels" in texts[1]
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["as trained", "temperature 2.0", "perfect"]
    assert figure.axes[0].get_xlim()[1] < 0.9  # ends where the predictions end
    with pytest.raises(CxrError, match="1 classes"):
        plot_reliability(truth, kinds, ["Edema"], tmp_path / "r.png")
