"""FROC and learning curves: what stands where."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scripts.errors import CxrError
from scripts.figures.learning_curves import plot_learning_curves
from scripts.tasks.detection.froc_figure import at_fp, plot_froc


def test_sensitivity_is_what_is_reached_without_more_false_positives() -> None:
    curve = {"fp": [0.0, 0.5, 0.5, 2.0], "sensitivity": [0.1, 0.3, 0.4, 0.8]}
    np.testing.assert_allclose(at_fp(curve, np.array([0.0, 0.4, 0.5, 1.9, 2.0, 8.0])), [0.1, 0.1, 0.4, 0.4, 0.8, 0.8])
    np.testing.assert_allclose(at_fp({"fp": [1.0], "sensitivity": [0.6]}, np.array([0.5])), [0.0])


def test_froc_writes_the_marks_and_names_what_is_not_scored(tmp_path: Path, drawn: list[Any]) -> None:
    curve = {"fp": [0.2, 0.6, 1.5], "sensitivity": [0.2, 0.5, 0.9], "lo": [0.1, 0.4, 0.8], "hi": [0.3, 0.6, 1.0]}
    plot_froc({"nodule": curve, "mass": {"fp": [], "sensitivity": []}}, tmp_path / "f.png", trivial=curve)
    labels = [text.get_text() for text in drawn[0].legends[0].get_texts()]
    assert labels == ["nodule: .20 / .50 / .90", "mass: not scored", "trivial"]
    assert len(drawn[0].axes[0].collections) == 1
    many = {f"class {i}": curve for i in range(14)}
    plot_froc(many, tmp_path / "f.png")
    assert not drawn[1].axes[0].collections  # fourteen bands would hide each other
    looks = {(line.get_color(), line.get_linestyle(), line.get_marker()) for line in drawn[1].legends[0].get_lines()}
    assert len(looks) == 14


def history(**more: float) -> list[dict[str, float]]:
    scores = [0.6, 0.9, 0.8]
    return [
        {"epoch": float(e + 1), "loss": 1.0 / (e + 1), "focal": 0.5, "learning_rate": 1e-3, "val_auroc": score, **more}
        for e, score in enumerate(scores)
    ]


def test_scores_losses_and_the_best_epoch_stand_in_their_panels(tmp_path: Path, drawn: list[Any]) -> None:
    rows = [row | {"val_mean_auroc": row["val_auroc"], "val_auroc_Edema": 0.7} for row in history()]
    rows = [row | {"val_val_loss": 0.4, "val_negative_loss": -0.4} for row in rows]
    plot_learning_curves(rows, tmp_path / "l.png", "Probe", main="auroc")
    losses, scores, rate = drawn[0].axes
    assert [text.get_text() for text in losses.get_legend().get_texts()] == ["loss", "focal", "validation loss"]
    assert [text.get_text() for text in scores.get_legend().get_texts()] == ["single classes", "auroc\n= mean auroc"]
    assert scores.get_title(loc="right") == "best auroc 0.900 at epoch 2"
    assert rate.get_ylabel() == "learning rate"


@pytest.mark.parametrize("rows", [history()[:1], [{"epoch": 1.0, "loss": 0.5, "learning_rate": 0.1}]])
def test_one_epoch_is_enough(tmp_path: Path, drawn: list[Any], rows: list[dict[str, float]]) -> None:
    plot_learning_curves(rows, tmp_path / "l.png")
    assert len(drawn[0].axes) == (3 if "val_auroc" in rows[0] else 2)
    assert drawn[0].axes[0].get_xlim() == (0, 2)


def test_a_validation_now_and_then_is_drawn_where_it_was(tmp_path: Path, drawn: list[Any]) -> None:
    rows = history()
    del rows[1]["val_auroc"]
    plot_learning_curves(rows, tmp_path / "l.png", main="auroc")
    line = next(line for line in drawn[0].axes[1].lines if line.get_label() == "auroc")
    np.testing.assert_allclose(np.stack(line.get_data()), np.array([[1, 3], [0.6, 0.8]]))
    assert drawn[0].axes[1].get_title(loc="right") == "best auroc 0.800 at epoch 3"


def test_no_epoch_is_named(tmp_path: Path) -> None:
    with pytest.raises(CxrError, match="No epoch"):
        plot_learning_curves([], tmp_path / "l.png")
