"""The standard image: hand-computed values, every source, and the store's road against the raw one, bit by bit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import Compose, EnsureChannelFirstd, LoadImaged
from PIL import Image

from bundle.demo.dicom import write_dx
from scripts.data.picture_reader import PictureReader
from scripts.data.reader import CxrReader
from scripts.data.standardize import StandardizeRadiographd
from scripts.data.store_reader import StoreReader
from scripts.errors import CxrError
from scripts.radiograph.letterbox import Letterbox
from scripts.radiograph.standard_image import Quantize, luminance, standardize


def scene(shape: tuple[int, int] = (300, 220), top: int = 4095, seed: int = 0) -> np.ndarray:
    rows, columns = np.mgrid[: shape[0], : shape[1]] / 40
    picture = np.sin(rows) + np.cos(columns * 1.3) + np.random.default_rng(seed).normal(0, 0.1, shape)
    return ((picture - picture.min()) / np.ptp(picture) * top).round().astype(np.uint16)


def chain(size: int, quantize: Quantize | None = "uint8") -> Compose:
    """The preprocessing of every config."""
    readers = [PictureReader(), CxrReader(decode_size=size), StoreReader()]
    return Compose(
        [
            LoadImaged("image", reader=readers),
            EnsureChannelFirstd("image"),
            StandardizeRadiographd("image", size=size, quantize=quantize),
        ]
    )


def store(folder: Path, images: list[np.ndarray]) -> Path:
    """An image store as `prepare` leaves it."""
    np.save(folder / "images.npy", np.stack(images))
    settings = {"size": images[0].shape[0], "dtype": str(images[0].dtype), "percentiles": [0.5, 99.5]}
    content = {"version": 1, "count": len(images), **settings, "decode_size": None}
    (folder / "images.json").write_text(json.dumps(content))
    return folder / "images.npy"


def test_values_by_hand() -> None:
    # 0..100 on a line: the 10th and 90th percentile are 10 and 90.
    image = np.arange(101, dtype=np.float32)[None]
    square = standardize(image, 101, None, percentiles=(10, 90))
    np.testing.assert_allclose(square[50], np.clip((np.arange(101) - 10) / 80, 0, 1), atol=1e-6)
    assert square[:50].max() == square[51:].max() == 0
    quantized = standardize(image, 101, "uint8", percentiles=(10, 90))
    np.testing.assert_array_equal(quantized[50], np.rint(square[50] * 255))
    assert standardize(image, 101, "uint16", percentiles=(10, 90)).max() == 65535


def test_scale_and_offset_of_the_source_do_not_matter() -> None:
    image = scene().astype(np.float32)
    expected = standardize(image, 128, None)
    np.testing.assert_allclose(standardize(image * 0.25 - 1024, 128, None), expected, atol=1e-5)


def test_neither_letterbox_nor_padding_counts_for_percentiles() -> None:
    image = scene((200, 100)).astype(np.float32)
    wide = np.full((200, 160), -1, np.float32)
    wide[:, 30:130] = image
    padded = standardize(wide, 200, "uint8", padding=-1)
    np.testing.assert_array_equal(padded[:, 50:150], standardize(image, 200, "uint8")[:, 50:150])
    assert padded[:, :50].max() == padded[:, 150:].max() == 0
    wide[wide == -1] = np.nan
    np.testing.assert_array_equal(standardize(wide, 200, "uint8"), padded)


@pytest.mark.parametrize("value", [0.0, 7.0, np.nan, np.inf, -1.0])
def test_pictures_without_contrast_are_black(value: float) -> None:
    square = standardize(np.full((20, 30), value, np.float32), 16, "uint8", padding=-1.0)
    assert square.dtype == np.uint8 and square.max() == 0


def test_a_nearly_constant_picture_keeps_its_mark() -> None:
    image = np.zeros((64, 64), np.float32)
    image[3, 4] = 9
    assert standardize(image, 64, "uint8")[3, 4] == 255


@pytest.mark.parametrize("shape", [(5,), (0, 5), (5, 4, 4), (1, 2, 3, 4)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(CxrError, match="H, W"):
        luminance(np.zeros(shape))


def test_luminance_of_channels() -> None:
    rgb = np.random.default_rng(0).random((3, 4, 5)).astype(np.float32)
    expected = np.tensordot([0.299, 0.587, 0.114], rgb, 1)  # ITU-R BT.601
    np.testing.assert_allclose(luminance(rgb), expected, atol=1e-6)
    np.testing.assert_allclose(luminance(np.concatenate([rgb, rgb[:1]])), expected, atol=1e-6)
    np.testing.assert_array_equal(luminance(rgb[:2]), rgb[0])


@pytest.mark.parametrize("channels", [1, 3])
def test_alpha_0_of_another_reader_is_no_picture_either(channels: int) -> None:
    """MONAI's own PILReader gives grey + alpha or RGBA: what lies under alpha 0 changes nothing."""
    grey = (scene((60, 60)) // 16).astype(np.uint8)
    alpha = np.where(np.arange(60) < 20, 0, 255) * np.ones((60, 1))
    grey[:, :20] = 255
    found = standardize(np.concatenate([grey[None]] * channels + [alpha[None]]), 60, None)
    np.testing.assert_allclose(found[:, 20:], standardize(grey[:, 20:], 60, None)[:, 10:50], atol=1e-5)
    assert not found[:, :20].any()


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("options", [{}, {"photometric": "MONOCHROME1", "padding_value": 4095, "window": (2000, 1500)}])
@pytest.mark.parametrize("syntax", ["explicit", "jpeg2000_lossless"])
def test_the_store_and_the_raw_road_give_the_same_bits(
    tmp_path: Path, dtype: Quantize, options: dict[str, Any], syntax: str
) -> None:
    pixels = scene()
    pixels[:, :40] = 4095
    write_dx(tmp_path / "a.dcm", pixels, transfer_syntax=syntax, uid_seed="1", **options)
    reader = CxrReader(decode_size=64)
    image, meta = reader.get_data(reader.read(tmp_path / "a.dcm"))
    path = store(tmp_path, [standardize(image, 64, dtype, padding=meta["padding"])] * 2)
    transform = chain(64, dtype)
    raw, stored = (transform({"image": name})["image"] for name in (str(tmp_path / "a.dcm"), f"{path}::1"))
    assert raw.dtype == stored.dtype == torch.float32 and tuple(raw.shape) == tuple(stored.shape) == (1, 64, 64)
    assert torch.equal(raw.as_tensor(), stored.as_tensor())
    # Once more changes nothing.
    assert torch.equal(StandardizeRadiographd("image", size=64)({"image": raw})["image"], raw)
    assert torch.equal(StandardizeRadiographd("image", size=64)({"image": stored})["image"], raw)


def test_no_quantization_keeps_every_level(tmp_path: Path) -> None:
    write_dx(tmp_path / "a.dcm", scene(), uid_seed="1")
    fine, coarse = (chain(128, q)({"image": str(tmp_path / "a.dcm")})["image"] for q in (None, "uint8"))
    assert len(fine.unique()) > 1000 and len(coarse.unique()) <= 256
    assert (fine - coarse).abs().max() <= 0.5 / 255 + 1e-6


@pytest.mark.parametrize("kind", ["png8", "png16", "jpeg", "rgb", "rgba", "la"])
def test_png_and_jpeg_keep_rows_first(tmp_path: Path, kind: str) -> None:
    grey = (scene((120, 80)) // 16).astype(np.uint8)
    path = tmp_path / ("a.jpg" if kind == "jpeg" else "a.png")
    image = Image.fromarray(scene((120, 80))) if kind == "png16" else Image.fromarray(grey)
    if kind in ("rgb", "rgba", "la"):
        image = image.convert(kind.upper())
    image.save(path, quality=100)
    square = chain(120, None)({"image": str(path)})["image"].numpy()[0]
    expected = standardize(scene((120, 80)) if kind == "png16" else grey, 120, None)
    np.testing.assert_allclose(square, expected, atol=0.02 if kind == "jpeg" else 1e-5)
    assert square[:, :20].max() == square[:, 100:].max() == 0


def test_what_monai_deploy_hands_over() -> None:
    grey = scene((60, 40)).astype(np.float32)
    transform = StandardizeRadiographd("image", size=60)
    expected = transform({"image": grey[None]})["image"]
    volume = np.swapaxes(grey, 0, 1)[..., None]
    for given in (volume, volume[None], torch.from_numpy(volume.copy()), MetaTensor(torch.from_numpy(volume[None]))):
        assert torch.equal(transform({"image": given})["image"], expected)


def test_the_affine_follows_the_pixels(tmp_path: Path) -> None:
    write_dx(tmp_path / "a.dcm", scene((300, 200)), spacing=(0.2, 0.2), uid_seed="1")
    square = chain(60)({"image": str(tmp_path / "a.dcm")})["image"]
    np.testing.assert_allclose(square.pixdim[:2], [1.0, 1.0], atol=1e-6)
    # Index of the content's first pixel: the middle of the first five original pixels of 0.2 mm, from their own middle.
    x0, y0, _, _ = Letterbox(300, 200, 60).content
    place = square.affine.numpy() @ [y0, x0, 0, 1]
    np.testing.assert_allclose(place[:2] / 0.2, [0.0, 0.0], atol=2.1)
    assert (square.meta["height"], square.meta["width"], square.meta["standardized"]) == (300, 200, True)


def test_size_and_spacing_of_the_original_outlive_the_meta(tmp_path: Path) -> None:
    """A reduced decode and a picture, by what was written; an item's own numbers stay."""
    write_dx(
        tmp_path / "a.dcm", scene((300, 200)), spacing=(0.3, 0.2), transfer_syntax="jpeg2000_lossless", uid_seed="1"
    )
    Image.fromarray((scene((120, 80)) // 16).astype(np.uint8)).save(tmp_path / "a.png")
    for name, size, spacing in (("a.dcm", (300, 200), [0.3, 0.2]), ("a.png", (120, 80), [np.nan, np.nan])):
        for given in ({}, {"height": 0, "width": 0, "spacing": np.full(2, np.nan)}):
            item = chain(60)({"image": str(tmp_path / name), **given})
            assert (item["height"], item["width"]) == tuple(item["image"].meta["original_size"]) == size
            np.testing.assert_allclose(item["spacing"], spacing, rtol=1e-6)
            np.testing.assert_allclose(item["image"].meta["spacing"], spacing, rtol=1e-6)
    own = {"height": 600, "width": 400, "spacing": np.array([0.1, 0.1], np.float32)}
    item = chain(60)({"image": str(tmp_path / "a.dcm"), **own})
    assert {key: item[key] for key in own} == own
    path = store(tmp_path, [np.zeros((60, 60), np.uint8)])
    assert set(chain(60)({"image": f"{path}::0"})) == {"image"}  # a store does not know


def test_a_store_of_another_size_and_a_missing_one_are_said(tmp_path: Path) -> None:
    path = store(tmp_path, [np.zeros((32, 32), np.uint8)])
    with pytest.raises(RuntimeError) as caught:
        chain(64)({"image": f"{path}::0"})
    assert isinstance(caught.value.__cause__, CxrError) and "set image_size to 32" in str(caught.value.__cause__)
    reader = StoreReader()
    for reference, said in {
        f"{tmp_path / 'absent' / 'images.npy'}::0": "prepare",
        f"{path}::1": "rows 0 to 0",
        f"{path}::-1": "rows 0 to 0",
    }.items():
        with pytest.raises(CxrError, match=said):
            reader.get_data(reader.read(reference))


def test_a_store_made_anew_is_read_anew(tmp_path: Path) -> None:
    reader = StoreReader()
    for value in (1, 2):
        path = store(tmp_path, [np.full((8, 8), value, np.uint8)])
        assert reader.get_data(reader.read(f"{path}::0"))[0].max() == value


def test_store_references_and_files_are_told_apart() -> None:
    reader = StoreReader()
    assert reader.verify_suffix("out/images.npy::3")
    assert not any(reader.verify_suffix(name) for name in ("out/images.npy", "a.dcm", "a.png"))
    with pytest.raises(ValueError, match="not a reference"):
        reader.read("a.dcm")
    with pytest.raises(ValueError, match="not a DICOM file"):
        CxrReader().read("absent/images.npy::3")
