"""The letterbox, by hand-computed places, by drawing, and against plain area means."""

from __future__ import annotations

import numpy as np
import pytest

from scripts.radiograph.letterbox import Letterbox, resize, resize_valid


@pytest.mark.parametrize(
    ("height", "width", "size", "content"),
    [
        (100, 50, 20, (5, 0, 15, 20)),
        (50, 100, 20, (0, 5, 20, 15)),
        (3056, 2544, 512, (43, 0, 469, 512)),  # 426.2 columns
        (10, 10, 20, (0, 0, 20, 20)),
        (1000, 1, 10, (4, 0, 5, 10)),  # never thinner than one pixel
    ],
)
def test_content_box(height: int, width: int, size: int, content: tuple[int, int, int, int]) -> None:
    assert Letterbox(height, width, size).content == content


def test_scale_is_the_square_over_the_longest_side() -> None:
    assert Letterbox(100, 400, 200).scale == 0.5


@pytest.mark.parametrize("shape", [(300, 200), (200, 300), (123, 457), (64, 48)])
def test_a_drawn_box_lands_where_its_coordinates_do(shape: tuple[int, int]) -> None:
    image = np.zeros(shape, np.float32)
    y0, x0, y1, x1 = shape[0] // 4, shape[1] // 3, shape[0] // 2, shape[1] * 2 // 3
    image[y0:y1, x0:x1] = 1
    box = Letterbox(*shape, 100)
    rows, columns = np.nonzero(box.apply(image) > 0.5)
    drawn = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    mapped = box.boxes_to_store([[x0, y0, x1, y1]])
    np.testing.assert_allclose(mapped[0], drawn, atol=0.5)
    np.testing.assert_allclose(box.boxes_to_image(mapped), [[x0, y0, x1, y1]], atol=1e-9)


def test_the_whole_image_maps_to_the_content() -> None:
    box = Letterbox(3056, 2544, 512)
    np.testing.assert_array_equal(box.boxes_to_store([[0, 0, 2544, 3056]])[0], box.content)
    assert box.boxes_to_store([]).shape == (0, 4)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.float32])
def test_a_whole_factor_is_the_mean_of_each_block(dtype: type) -> None:
    image: np.ndarray = np.random.default_rng(0).integers(0, 200, (96, 48)).astype(dtype)
    expected = image.astype(float).reshape(8, 12, 4, 12).mean((1, 3))
    # The halving on the way rounds whole numbers once more.
    np.testing.assert_allclose(resize(image, 8, 4), expected, atol=1 if dtype != np.float32 else 1e-3)


def test_masks_stay_masks() -> None:
    mask = np.random.default_rng(0).random((300, 200)) > 0.5
    assert Letterbox(300, 200, 64).apply(mask, "nearest").dtype == np.bool_
    assert set(np.unique(Letterbox(300, 200, 64).apply(mask.astype(np.uint8) * 255, "nearest"))) == {0, 255}


def test_an_image_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="300x200"):
        Letterbox(300, 200, 64).apply(np.zeros((200, 300)))


def test_only_valid_pixels_enter_the_mean() -> None:
    image = np.array([[10, 999, 10, 10], [10, 999, 10, 999], [999, 999, 30, 30], [999, 999, 30, 30]], np.uint16)
    resized, valid = resize_valid(image, image != 999, 2, 2)
    np.testing.assert_array_equal(resized, [[10, 10], [0, 30]])
    np.testing.assert_array_equal(valid, [[True, True], [False, True]])
    assert resized.dtype == np.uint16


@pytest.mark.parametrize("shape", [(300, 200), (200, 301), (90, 61)])
def test_a_prediction_comes_back_in_the_pixels_of_the_image(shape: tuple[int, int]) -> None:
    """Truth values, probabilities and labels of a rectangle, from a square that is larger or smaller."""
    box = Letterbox(*shape, 128)
    y0, x0, y1, x1 = shape[0] // 4, shape[1] // 5, shape[0] // 2, shape[1] * 3 // 4
    drawn = np.zeros(shape, np.float32)
    drawn[y0:y1, x0:x1] = 1
    square = box.apply(drawn)
    for prediction in (square >= 0.5, square, (square >= 0.5).astype(np.uint8) * np.uint8(3)):
        back = box.mask_to_image(prediction)
        assert back.dtype == prediction.dtype
        assert back.shape == shape
        rows, columns = np.nonzero(back > 0.5)
        found = [rows.min(), columns.min(), rows.max() + 1, columns.max() + 1]
        np.testing.assert_allclose(found, [y0, x0, y1, x1], atol=max(shape) / 128)
    with pytest.raises(ValueError, match="square of 128 pixels"):
        box.mask_to_image(np.zeros(shape))
