"""Pictures of every mode and orientation give what a viewer shows, by `prepare`'s reader and the configs' alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from monai.data import list_data_collate
from monai.transforms import Compose, EnsureChannelFirst, LoadImage
from PIL import Image

from bundle.prepare.worker import Ingest
from scripts.data.boxes import read_boxes
from scripts.data.image_store import ImageStoreWriter, StoreSettings
from scripts.data.masks import read_mask
from scripts.data.picture_reader import PictureReader
from scripts.data.standardize import StandardizeRadiographd
from scripts.radiograph.letterbox import Letterbox
from scripts.radiograph.standard_image import luminance, standardize

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
        (Image.merge("LA", (Image.fromarray(GREY), Image.fromarray(GREY[::-1] // 2 + 1))), "png"),
        (Image.fromarray(GREY).convert("RGBA"), "png"),
        (Image.fromarray(GREY).convert("RGB").convert("CMYK"), "tif"),
    ],
)
def test_every_mode_shows_the_same_picture(tmp_path: Path, picture: Image.Image, suffix: str) -> None:
    picture.save(tmp_path / f"a.{suffix}")
    image = load(str(tmp_path / f"a.{suffix}"))
    assert np.isnan(image.meta["padding"])
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


# EXIF 2.32, tag 0x0112: where the stored row 0 and column 0 lie in the picture as it is to be shown.
UPRIGHT = {
    1: lambda stored: stored,  # top, left
    2: lambda stored: stored[:, ::-1],  # top, right
    3: lambda stored: stored[::-1, ::-1],  # bottom, right
    4: lambda stored: stored[::-1],  # bottom, left
    5: lambda stored: stored.T,  # left, top
    6: lambda stored: stored.T[:, ::-1],  # right, top
    7: lambda stored: stored.T[::-1, ::-1],  # right, bottom
    8: lambda stored: stored.T[::-1],  # left, bottom
}


def turned(path: Path, stored: np.ndarray, orientation: int) -> str:
    exif = Image.Exif()
    exif[0x0112] = orientation
    options: dict[str, Any] = {"quality": 95} if path.suffix == ".jpg" else {}
    Image.fromarray(stored).save(path, exif=exif, **options)
    return str(path)


@pytest.fixture
def bright_corner() -> np.ndarray:
    """40 rows, 64 columns, dark, with a bright field of 8 x 24 pixels in the corner of row 0, column 0; not square."""
    stored = np.tile(np.linspace(10, 60, 64), (40, 1)).astype(np.uint8)
    stored[:8, :24] = 255
    return stored


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif"])
@pytest.mark.parametrize("orientation", UPRIGHT)
def test_image_mask_and_box_are_upright(
    tmp_path: Path, bright_corner: np.ndarray, orientation: int, suffix: str
) -> None:
    expected = UPRIGHT[orientation](bright_corner)
    path = turned(tmp_path / f"a.{suffix}", bright_corner, orientation)
    image = load(path)
    np.testing.assert_allclose(image[0].numpy(), expected, atol=12 if suffix == "jpg" else 0)
    assert (image.meta["height"], image.meta["width"]) == tuple(image.meta["spatial_shape"]) == expected.shape
    mask = turned(tmp_path / f"m.{suffix}", np.where(bright_corner == 255, 255, 0).astype(np.uint8), orientation)
    np.testing.assert_array_equal(read_mask(mask, expected.shape), expected == 255)
    # A box in the upright picture's pixels encloses the bright field in the standard image.
    rows, columns = np.nonzero(expected == 255)
    boxes, _ = read_boxes(pd.Series([[[columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]]]), None, "t")
    item = StandardizeRadiographd("image", size=64)({"image": image})
    assert (item["height"], item["width"]) == expected.shape
    x0, y0, x1, y1 = Letterbox(item["height"], item["width"], 64).boxes_to_store(boxes[0] or []).astype(int)[0]
    square = item["image"][0].numpy()
    assert square[y0:y1, x0:x1].min() > 0.8 and square.sum() - square[y0:y1, x0:x1].sum() < 0.3 * square.size


@pytest.mark.parametrize("orientation", [3, 6])
def test_prepare_turns_pictures_alike(tmp_path: Path, bright_corner: np.ndarray, orientation: int) -> None:
    path = turned(tmp_path / "a.jpg", bright_corner, orientation)
    settings = StoreSettings(size=32)
    ImageStoreWriter(tmp_path, 1, settings)
    ingest = Ingest(tmp_path, 1, settings)
    facts = ingest((0, path, None))
    assert (facts["exclude_reason"], facts["height"], facts["width"]) == (
        "",
        *UPRIGHT[orientation](bright_corner).shape,
    )
    np.testing.assert_array_equal(ingest.store._images[0], standardize(load(path).numpy(), 32))


def test_a_damaged_exif_block_turns_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    Image.fromarray(GREY).save(path, quality=100, exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\x01\x12")
    np.testing.assert_allclose(load(str(path))[0].numpy(), GREY, atol=3)
    path.write_bytes(path.read_bytes().replace(b"MM\0*", b"no\0*"))
    np.testing.assert_allclose(load(str(path))[0].numpy(), GREY, atol=3)


CLEAR = np.array([[True, True, False, False]] * 3)


def transparent(form: str) -> Image.Image:
    """GREY, fully transparent in its left half, half transparent elsewhere where the form can say so."""
    alpha = np.where(CLEAR, 0, 128).astype(np.uint8)
    grey = Image.fromarray(GREY)
    if form == "LA":
        return Image.merge("LA", (grey, Image.fromarray(alpha)))
    if form == "RGBA":
        return Image.merge("RGBA", (grey, grey, grey, Image.fromarray(alpha)))
    picture = Image.fromarray(np.where(CLEAR, 7, np.arange(100, 112).reshape(3, 4)).astype(np.uint8))
    if form == "palette":
        picture = picture.copy()
        places = np.asarray(picture)
        picture = Image.fromarray(places, mode="P")
        colours = np.zeros((256, 3), np.uint8)
        colours[places[~CLEAR]] = GREY[~CLEAR][:, None]
        picture.putpalette(colours.ravel().tolist())
        return picture
    return picture


@pytest.mark.parametrize("form", ["LA", "RGBA", "palette"])
def test_alpha_0_is_padding(tmp_path: Path, form: str) -> None:
    path = tmp_path / "a.png"
    options: dict[str, Any] = {"transparency": 7} if form == "palette" else {}
    transparent(form).save(path, **options)
    image = load(str(path))
    padding = image.meta["padding"]
    assert (image[0].numpy() == np.float32(padding)).tolist() == CLEAR.tolist()
    np.testing.assert_allclose(image[0].numpy()[~CLEAR], GREY[~CLEAR], atol=1e-3)
    # Neither the percentiles nor the picture know what lies under it: the rest alone gives the same greys.
    square = StandardizeRadiographd("image", size=4, quantize=None)({"image": image})["image"].numpy()[0]
    alone = standardize(GREY[:, 2:], 3, None)
    np.testing.assert_allclose(square[:3, 2:], alone[:, :2], atol=1e-5)
    assert not square[:, :2].any()


@pytest.mark.parametrize(("colour", "deep"), [(255, False), (0, False), (65535, True)])
def test_the_colour_that_a_png_calls_transparent_is_padding(tmp_path: Path, colour: int, deep: bool) -> None:
    grey = GREY.astype(np.uint16) * 257 if deep else GREY
    Image.fromarray(grey).save(tmp_path / "a.png", transparency=colour)
    image = load(str(tmp_path / "a.png"))
    np.testing.assert_array_equal(image[0].numpy() == image.meta["padding"], grey == colour)
    np.testing.assert_array_equal(image[0].numpy()[grey != colour], grey[grey != colour])


@pytest.mark.parametrize("hidden", [0, 255])
def test_what_is_transparent_in_a_mask_is_outside(tmp_path: Path, hidden: int) -> None:
    """As drawing programs save a white stroke on nothing; what colour the nothing has does not matter."""
    white = Image.fromarray(np.where(CLEAR, hidden, 255).astype(np.uint8))
    alpha = Image.fromarray(np.where(CLEAR, 0, 255).astype(np.uint8))
    Image.merge("RGBA", (white, white, white, alpha)).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_mask(str(tmp_path / "a.png"), None), ~CLEAR)


def test_a_whole_transparent_picture_has_no_contrast(tmp_path: Path) -> None:
    Image.merge("LA", (Image.fromarray(GREY), Image.new("L", (4, 3)))).save(tmp_path / "a.png")
    image = load(str(tmp_path / "a.png"))
    assert not StandardizeRadiographd("image", size=4)({"image": image})["image"].any()
