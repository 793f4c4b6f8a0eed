"""Pictures: written whole, with the labels that a reader needs; how they look is checked by eye."""

from __future__ import annotations

import cv2
import matplotlib as mpl
import numpy as np
import pytest
import torch

from scripts.errors import CxrError
from scripts.figures.montage import Panel, plot_montage
from scripts.figures.training import plot_geometry, plot_spectrum, plot_training
from scripts.metrics.latent_geometry import spectrum

HISTORY = [
    {
        "epoch": float(e),
        "loss": 5.0 / e,
        "alignment": 0.1 / e,
        "learning_rate": 1e-3 / e,
        "val_effective_rank": 10.0 * e,
        "val_uniformity": -float(e),
        "val_retrieval": 0.1,
    }
    for e in range(1, 6)
]


DRAW = {
    "training": lambda path: plot_training(HISTORY, path),
    "geometry": lambda path: plot_geometry(HISTORY, path, initial={"effective_rank": 5.0}),
    "spectrum": lambda path: plot_spectrum({"ours": spectrum(torch.randn(20, 9)), "dead": np.zeros(9)}, path),
    "montage": lambda path: plot_montage([Panel(np.zeros((8, 9)), "PA")] * 5, path, "Images"),
}


@pytest.mark.parametrize("name", DRAW)
def test_picture_is_written_at_readable_size_and_leaves_no_traces(name, tmp_path, drawn):
    before = dict(mpl.rcParams)
    path = DRAW[name](tmp_path / "new folder" / "picture.png")
    image = cv2.imread(str(path))
    assert image is not None
    assert image.shape[1] == 1260  # 9 inches at 140 dpi
    assert image.std() > 5
    assert [file.name for file in path.parent.iterdir()] == ["picture.png"]
    assert dict(mpl.rcParams) == before
    if name != "montage":
        assert all(axes.get_xlabel() or axes.get_ylabel() for axes in drawn[0].axes if axes.axison)


def test_training_shows_losses_and_not_the_validation_metrics(tmp_path, drawn):
    plot_training([row | {"val_loss": 1.0} for row in HISTORY], tmp_path / "t.png")
    legend = drawn[0].axes[0].get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["loss", "alignment", "validation loss"]
    assert drawn[0].axes[0].get_yscale() == "log"  # the losses are 50 times apart


def test_boxes_and_outlines_lie_on_their_pixels(tmp_path, drawn):
    mask = np.zeros((20, 30))
    mask[4:9, 10:16] = 1
    panel = Panel(np.zeros((20, 30)), "", [[10, 4, 16, 9]], ["nodule"], {"lesion": mask, "absent": np.zeros((20, 30))})
    plot_montage([panel], tmp_path / "m.png")
    axes = drawn[0].axes[0]
    box = axes.patches[0]
    # The pixels 10 … 15 by 4 … 8 span 9.5 … 15.5 by 3.5 … 8.5 in the coordinates of imshow.
    assert (box.get_x(), box.get_y(), box.get_width(), box.get_height()) == (9.5, 3.5, 6, 5)
    outline = axes.collections[0].get_paths()[0].vertices
    np.testing.assert_allclose([*outline.min(0), *outline.max(0)], [9.5, 3.5, 15.5, 8.5])
    assert [text.get_text() for text in drawn[0].legends[0].get_texts()] == ["lesion", "nodule (box)"]


def test_nothing_to_draw_is_named(tmp_path):
    with pytest.raises(CxrError, match="No epoch"):
        plot_training([], tmp_path / "x.png")
    with pytest.raises(CxrError, match="LatentGeometry"):
        plot_geometry([{"epoch": 1.0}], tmp_path / "x.png")
    with pytest.raises(CxrError, match=r"x\.png"):
        plot_montage([], tmp_path / "x.png")
