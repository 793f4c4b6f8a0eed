"""Pictures of scores: written whole, with the labels that a reader needs; how they look is checked by eye."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from scripts.evaluation.linear_probe import probe_cv
from scripts.evaluation.score_figures import plot_image_retrieval, plot_probe, plot_reason, plot_retrieval
from scripts.metrics.label_retrieval import label_retrieval
from scripts.metrics.retrieval import retrieval


def probes():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, (60, 3)).astype(float)
    labels[:, 2] = 0
    features = {"random": rng.normal(size=(60, 4)), "ours": labels + rng.normal(size=(60, 3))}
    names = ["Edema", "Nodule", "Hernia"]
    return {m: probe_cv(x, labels, np.arange(60) // 2, names, resamples=30) for m, x in features.items()}


def pairs(groups=None):
    image, text = torch.randn(2, 20, 8, generator=torch.Generator().manual_seed(0))
    return {"ours": retrieval(image, text + image, [str(i) for i in range(20)], groups=groups, resamples=30)}


def neighbours():
    features = torch.randn(20, 8, generator=torch.Generator().manual_seed(0))
    return label_retrieval(features, features, np.arange(20)[:, None] % 2, ["Edema"], range(20), resamples=30)


DRAW = {
    "probe": lambda path: plot_probe(probes(), path),
    "retrieval": lambda path: plot_retrieval(pairs(np.arange(20) // 2), path),
    "retrieval without intervals": lambda path: plot_retrieval(pairs(), path),
    "images": lambda path: plot_image_retrieval({"ours": neighbours(), "random": neighbours()}, path),
    "reason": lambda path: plot_reason("Supervised has no space that images and reports share", path, "Zero-shot"),
}


@pytest.mark.parametrize("name", DRAW)
def test_picture_is_written_at_readable_size(name, tmp_path, drawn):
    image = cv2.imread(str(DRAW[name](tmp_path / "picture.png")))
    assert image is not None
    assert image.shape[1] == 1260  # 9 inches at 140 dpi
    assert image.std() > 5
    assert all(axes.get_xlabel() or axes.get_ylabel() for axes in drawn[0].axes if axes.axison)


def test_probe_picture_says_what_is_not_scored_and_how_many_positives(tmp_path, drawn):
    plot_probe(probes(), tmp_path / "p.png")
    axes = drawn[0].axes[0]
    assert [text.get_text() for text in axes.texts].count("not scored: no positives") == 2
    ticks = [tick.get_text() for tick in axes.get_yticklabels()]
    assert ticks[2:] == ["Hernia\n(0 of 60)", "macro average\nover 2 of 3 classes"]
