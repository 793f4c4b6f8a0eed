"""ROC and precision-recall curves against scikit-learn; the picture for few and many classes and images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import precision_recall_curve, roc_curve

from scripts.errors import CxrError
from scripts.statistics.draws import Draws
from scripts.statistics.estimate import Estimate
from scripts.tasks.classification.roc_figure import GRID, POINTS, Flagged, bands, plot_roc_pr


def data(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, tied scores and whole-number weights."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n).astype(float)
    return labels, np.round(labels + rng.normal(size=n), 1), rng.integers(0, 4, n).astype(float)


@pytest.mark.parametrize("seed", range(4))
def test_points_are_those_of_scikit_learn_with_ties_and_weights(seed: int) -> None:
    labels, scores, weights = data(60, seed)
    flagged = Flagged.of(labels, scores)(weights)
    x, y = flagged.roc()
    theirs_x, theirs_y, _ = roc_curve(labels, scores, sample_weight=weights, drop_intermediate=False)
    np.testing.assert_allclose((np.interp(GRID, x, y)), np.interp(GRID, theirs_x, theirs_y))
    np.testing.assert_allclose([x[0], y[0], x[-1], y[-1]], [0, 0, 1, 1])
    recall, precision = flagged.pr()
    theirs_precision, theirs_recall, _ = precision_recall_curve(labels, scores, sample_weight=weights)
    # Theirs goes from all images to none, and ends in (0, 1), a point that is by convention and not of the data.
    kept = slice(None, -1)
    pairs = set(zip(recall[1:].round(9), precision[1:].round(9)))
    theirs = set(zip(theirs_recall[kept].round(9), theirs_precision[kept].round(9)))
    assert {pair for pair in theirs if pair[0] > 0} <= pairs
    assert precision[0] == precision[1]


def test_a_band_over_equal_draws_is_the_curve_and_draws_of_one_class_are_left_out() -> None:
    labels, scores, _ = data(60)
    count = Flagged.of(labels, scores)
    weights = np.ones((6, 60))
    weights[5] = labels  # no negatives
    everyone = count(np.ones(60))
    for band, curve in zip(bands(count, Draws.of_weights(weights)), (everyone.roc(), everyone.pr()), strict=True):
        np.testing.assert_allclose(band, [np.interp(GRID, *curve)] * 2)
    weights[4] = labels  # two of five: a band would say nothing
    assert bands(count, Draws.of_weights(weights)) == []


def test_every_class_has_its_scores_and_an_absent_one_its_reason(tmp_path: Path, drawn: list[Any]) -> None:
    labels, scores, _ = data(60)
    truth = np.stack([labels, np.zeros(60), np.ones(60), np.full(60, np.nan)], axis=1)
    truth[:10, 0] = np.nan
    names = ["Edema", "Hernia", "Lungs", "Unknown"]
    told = {"Edema": Estimate(0.8712, 0.81, 0.93)}
    path = plot_roc_pr(
        truth, np.stack([scores] * 4, axis=1), names, tmp_path / "roc.png", groups=np.arange(60) // 2, auroc=told,
        resamples=20,
    )  # fmt: skip
    assert path.stat().st_size > 5000
    axes = drawn[0].axes
    assert len(axes) == 8
    texts = [[text.get_text() for text in axis.texts] for axis in axes]
    assert f"Edema ({int(labels[10:].sum())} of 50)" in texts[0]
    assert "AUROC .871 [.810, .930]" in texts[0]
    reasons = [next(text for text in texts[i] if text.startswith("not scored")) for i in (2, 4, 6)]
    assert reasons == [f"not scored:\nno {what}" for what in ("positives", "negatives", "known labels")]
    assert len(axes[0].collections) == 1  # the band
    assert not axes[2].lines


def test_thirty_thousand_images_make_a_thin_curve_with_its_ends(tmp_path: Path, drawn: list[Any]) -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, (30_000, 1)).astype(float)
    plot_roc_pr(truth, truth + rng.normal(size=truth.shape), ["Edema"], tmp_path / "roc.png")
    curve = np.stack(drawn[0].axes[0].lines[0].get_data(), axis=1)
    assert len(curve) <= POINTS
    np.testing.assert_allclose(curve[[0, -1]], [[0, 0], [1, 1]])
    assert np.hypot(*np.diff(curve, axis=0).T).max() < 0.02  # no visible gap
    assert not drawn[0].axes[0].collections  # without patients there is no band


def test_shapes_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CxrError, match="2 classes"):
        plot_roc_pr(np.zeros((5, 1)), np.zeros((5, 1)), ["a", "b"], tmp_path / "x.png")


def test_a_name_is_no_formula(tmp_path: Path) -> None:
    """matplotlib sets what stands between two dollars; half a formula ended in a ValueError."""
    labels, logits, _ = data(20)
    names = ["Mass $_{$", "a_b^c"]
    plot_roc_pr(np.stack([labels, labels], 1), np.stack([logits, logits], 1), names, tmp_path / "roc_pr.png")
