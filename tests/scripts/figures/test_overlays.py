"""Truth and prediction are told apart, and unknown, unsure and empty things are not drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.patches import Rectangle

from scripts.errors import CxrError
from scripts.figures.montage import Panel, plot_montage
from scripts.figures.overlays import HeatPanel, box_panel, mask_panel, plot_heat_maps

GREY = np.full((20, 20), 0.5)


def square(x0: int, x1: int) -> np.ndarray:
    mask = np.zeros((20, 20))
    mask[5:15, x0:x1] = 1
    return mask


def legend(figure: Any) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()] if figure.legends else []


def test_masks_are_outlines_where_true_and_areas_where_predicted(tmp_path: Path, drawn: list[Any]) -> None:
    truth = np.stack([square(2, 8), -np.ones((20, 20))])
    panel = mask_panel(GREY, ["lung", "heart"], truth, np.stack([square(4, 10), np.zeros((20, 20))]))
    plot_montage([panel], tmp_path / "m.png")
    assert legend(drawn[0]) == ["lung, truth", "lung, prediction"]  # the unknown heart and the empty one draw nothing
    axes = drawn[0].axes[0]
    outline = axes.collections[0].get_paths()[0].vertices
    np.testing.assert_allclose([*outline.min(0), *outline.max(0)], [1.5, 4.5, 7.5, 14.5])
    tint = np.asarray(axes.images[1].get_array())[..., 3] > 0
    np.testing.assert_array_equal(tint, square(4, 10) > 0)
    shade = axes.collections[0].get_edgecolor()[0][:3]
    assert not np.allclose(shade, np.asarray(axes.images[1].get_array())[10, 5, :3])  # one name: two colours


def test_several_masks_keep_their_colour_in_truth_and_prediction(tmp_path: Path, drawn: list[Any]) -> None:
    masks = np.stack([square(2, 8), square(12, 18)])
    plot_montage([mask_panel(GREY, ["left", "right"], masks, masks)], tmp_path / "m.png")
    axes = drawn[0].axes[0]
    colors = [collection.get_edgecolor()[0][:3] for collection in axes.collections]
    tints = [np.asarray(image.get_array())[10, x, :3] for image, x in zip(axes.images[1:], (4, 14), strict=True)]
    np.testing.assert_allclose(colors, tints)
    assert len(legend(drawn[0])) == 4


def test_boxes_are_solid_where_true_and_dashed_with_their_score_where_found(tmp_path: Path, drawn: list[Any]) -> None:
    found = ([[3, 3, 9, 9], [1, 1, 4, 4], [10, 10, 15, 15]], [0, 1, 0], [0.93, 0.04, 0.5])
    panel = box_panel(GREY, ["nodule", "mass"], ([[2, 2, 8, 8]], [0]), found, threshold=0.1)
    plot_montage([panel], tmp_path / "m.png")
    axes = drawn[0].axes[0]
    boxes = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
    assert [(box.get_x(), box.get_linestyle()) for box in boxes] == [(1.5, "-"), (2.5, "--"), (9.5, "--")]
    assert [text.get_text() for text in axes.texts] == [".93", ".50"]
    assert legend(drawn[0]) == ["nodule (box), truth", "nodule (box), prediction"]
    assert len(box_panel(GREY, ["nodule", "mass"], ([], []), found, most=1).found.boxes) == 1  # type: ignore[union-attr]


def test_images_without_a_box_and_pictures_without_anything_found_are_drawn(tmp_path: Path, drawn: list[Any]) -> None:
    nothing = box_panel(GREY, ["nodule"], (np.zeros((0, 4)), np.zeros(0)), (np.zeros((0, 4)), np.zeros(0), np.zeros(0)))
    plot_montage([nothing, Panel(GREY)], tmp_path / "m.png")
    assert legend(drawn[0]) == []
    assert not drawn[0].axes[0].patches


@pytest.mark.parametrize("count", [1, 3, 6])
def test_a_heat_map_stands_beside_its_image(tmp_path: Path, drawn: list[Any], count: int) -> None:
    heat = np.zeros((20, 20))
    heat[10, 10] = 1
    plot_heat_maps([HeatPanel(GREY, heat, f"case {i}") for i in range(count)], tmp_path / "h.png", "Grad-CAM")
    axes = drawn[0].axes
    plain, heated = axes[0], axes[1]
    assert [len(plain.images), len(heated.images)] == [1, 2]
    alpha = np.asarray(heated.images[1].get_alpha())
    assert alpha[10, 10] > 0.5
    assert alpha[0, 0] == 0  # the radiograph stays legible where there is no heat
    assert [axis.get_title(loc="left") for axis in axes[::2]][:count] == [f"case {i}" for i in range(count)]


def test_a_heat_map_without_heat_says_so(tmp_path: Path, drawn: list[Any]) -> None:
    plot_heat_maps([HeatPanel(GREY, np.zeros((20, 20)))], tmp_path / "h.png")
    assert [text.get_text() for text in drawn[0].axes[1].texts] == ["nothing in it speaks for this"]


def test_no_image_is_named(tmp_path: Path) -> None:
    with pytest.raises(CxrError, match=r"h\.png"):
        plot_heat_maps([], tmp_path / "h.png")


def test_boxes_and_the_point_lie_on_the_heat_map(tmp_path: Path, drawn: list[Any]) -> None:
    panel = HeatPanel(GREY, np.eye(20), "mass", [[2, 3, 8, 9]], (4, 5))
    plot_heat_maps([panel], tmp_path / "h.png")
    for axes in drawn[0].axes:
        (box,) = axes.patches
        assert (box.get_x(), box.get_y(), box.get_width(), box.get_height()) == (1.5, 2.5, 6, 6)
    (cross,) = drawn[0].axes[1].lines
    assert cross.get_xydata().tolist() == [[4, 5]]
