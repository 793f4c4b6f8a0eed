"""Pictures of every mode give the brightness that a viewer shows, by `prepare`'s reader and the configs' alike."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from monai.data import list_data_collate
from monai.transforms import Compose, EnsureChannelFirst, LoadImage
from PIL import Image

from scripts.data.picture_reader import PictureReader
from scripts.data.standardize import luminance

GREY = np.array([[0, 80, 160, 255], [255, 160, 80, 0], [10, 20, 30, 40]], np.uint8)
load = Compose([LoadImage(reader=PictureReader()), EnsureChannelFirst()])


def palette(grey: np.ndarray) -> Image.Image:
    """The picture as places in a palette that holds the greys in reverse."""
    picture = Image.fromarray(255 - grey, mode="P")
    picture.putpalette([255 - level for level in range(256) for _ in range(3)])
    return picture


@pytest.mark.parametrize(
    ("picture", "suffix"),
    [
        (Image.fromarray(GREY), "png"),
        (palette(GREY), "png"),
        (palette(GREY), "tif"),
        (Image.merge("LA", (Image.fromarray(GREY), Image.fromarray(GREY[::-1]))), "png"),
        (Image.fromarray(GREY).convert("RGBA"), "png"),
        (Image.fromarray(GREY).convert("RGB").convert("CMYK"), "tif"),
    ],
)
def test_every_mode_shows_the_same_picture(tmp_path: Path, picture: Image.Image, suffix: str) -> None:
    picture.save(tmp_path / f"a.{suffix}")
    image = load(str(tmp_path / f"a.{suffix}"))
    np.testing.assert_allclose(luminance(image.numpy()), GREY, atol=1e-3)
    assert list_data_collate([image, image]).shape[0] == 2


def test_one_bit_is_black_and_white(tmp_path: Path) -> None:
    Image.fromarray(GREY > 100).save(tmp_path / "a.png")
    np.testing.assert_array_equal(load(str(tmp_path / "a.png"))[0].numpy(), (GREY > 100) * 255)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_16_bits_stay_16_bits(tmp_path: Path, suffix: str) -> None:
    deep = GREY.astype(np.uint16) * 257 - (GREY > 0)
    Image.fromarray(deep).save(tmp_path / f"a.{suffix}")
    np.testing.assert_array_equal(load(str(tmp_path / f"a.{suffix}"))[0].numpy(), deep)
