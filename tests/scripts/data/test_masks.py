"""Masks: run-length strings and pictures against masks that were drawn, in the image's own letterbox."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from scripts.data.masks import LoadMasksd, decode_rle, read_mask
from scripts.errors import CxrError
from scripts.radiograph.letterbox import Letterbox
from scripts.tasks.segmentation.mask_files import encode_rle

Item = dict[Hashable, Any]


def write(path: Path, mask: np.ndarray, top: int = 255, dtype: type = np.uint8) -> str:
    Image.fromarray((mask * top).astype(dtype)).save(path)
    return str(path)


def kaggle_rle(mask: np.ndarray) -> str:
    """Runs found one pixel at a time, down the columns, counted from 1."""
    runs: list[list[int]] = []
    for place, inside in enumerate(mask.T.ravel(), start=1):
        if inside and runs and sum(runs[-1]) == place:
            runs[-1][1] += 1
        elif inside:
            runs.append([place, 1])
    return " ".join(f"{start} {length}" for start, length in runs) or "-1"


@pytest.fixture
def blob() -> np.ndarray:
    """An ellipse on a picture of 90 rows and 60 columns, off its centre."""
    return cv2.ellipse(np.zeros((90, 60), np.uint8), (40, 25), (12, 20), 30, 0, 360, 1, -1).astype(bool)


def test_run_lengths_by_hand() -> None:
    expected = [[1, 0, 0, 0], [1, 0, 1, 0], [0, 0, 1, 0]]
    np.testing.assert_array_equal(decode_rle("1 2 8 2", (3, 4)), np.array(expected, bool))
    assert not decode_rle("-1", (3, 4)).any()
    assert decode_rle("1 12", (3, 4)).all()
    np.testing.assert_array_equal(decode_rle("1 1 2 2", (3, 1))[:, 0], [1, 1, 1])  # runs that touch


def test_run_lengths_find_back_to_their_mask(blob: np.ndarray) -> None:
    random = np.random.default_rng(0).random((17, 23)) > 0.6
    for mask in (blob, random, np.zeros((5, 4), bool)):
        np.testing.assert_array_equal(decode_rle(kaggle_rle(mask), mask.shape), mask)


@pytest.mark.parametrize(
    "rle",
    ["0 3", "1 2 3", "5 a", "10 4", "-2", "-1 3", "1 9223372036854775807", "9" * 30 + " 1", "1 " + "9" * 9000, "٣ 1"],
)
def test_a_run_length_string_that_means_nothing_is_refused(rle: str) -> None:
    with pytest.raises(ValueError, match=r"pairs of start and length|leave the 3 x 4 pixels"):
        decode_rle(rle, (3, 4))


@pytest.mark.parametrize(
    ("rle", "hint"),
    [
        ("5 3 2 1", True),
        ("2 3 3 1", True),
        ("5 1 5 1", True),
        ("9 3 4 9", False),
        ("1 3 2 99", False),
        ("7 0 7 1", False),
    ],
)
def test_runs_that_overlap_or_go_back_are_refused(rle: str, hint: bool) -> None:
    """In 3 x 4 pixels; with a hint where starts and lengths add up to no more than the image's 12."""
    with pytest.raises(ValueError, match=r"^its runs overlap or go back") as caught:
        decode_rle(rle, (3, 4))
    assert ("relative run lengths" in str(caught.value)) == hint


def test_relative_run_lengths_of_lungs_are_no_mask(shared_data: Path) -> None:
    """SIIM-ACR's form of real lungs, starts counted from the end of the run before, is refused for every one."""
    for file in sorted((shared_data / "covid_cxr_notes" / "lung_masks").glob("*.png"))[::10]:
        mask = np.asarray(Image.open(file)) > 127
        runs = np.array(encode_rle(mask).split(), int).reshape(-1, 2)
        starts = np.diff(runs[:, 0] - 1, prepend=0) - np.append(0, runs[:-1, 1])
        siim = " ".join(f"{start} {length}" for start, length in zip(starts, runs[:, 1]))
        with pytest.raises(ValueError, match="they fit as relative run lengths"):
            decode_rle(siim, mask.shape)


@pytest.mark.parametrize(("top", "dtype"), [(255, np.uint8), (1, np.uint8), (65535, np.uint16), (1, bool)])
def test_every_way_to_write_a_mask_reads_alike(tmp_path: Path, blob: np.ndarray, top: int, dtype: type) -> None:
    np.testing.assert_array_equal(read_mask(write(tmp_path / "a.png", blob, top, dtype), (90, 60)), blob)


def test_soft_edges_count_from_the_middle_of_the_range(tmp_path: Path) -> None:
    path = write(tmp_path / "a.png", np.array([[0, 127, 128, 255]]), top=1)
    np.testing.assert_array_equal(read_mask(path, None), [[False, False, True, True]])


def test_masks_lie_where_the_image_does(tmp_path: Path, blob: np.ndarray) -> None:
    """At a third of the size, by the mean over blocks of 3 x 3 pixels: in when five of nine are."""
    item: Item = {"label": [write(tmp_path / "a.png", blob), "", kaggle_rle(blob), "-1"], "height": 90, "width": 60}
    found = LoadMasksd("label", 30)(item)["label"]
    assert (found.dtype, tuple(found.shape)) == (torch.float32, (4, 30, 30))
    share = blob.reshape(30, 3, 20, 3).mean((1, 3))
    np.testing.assert_array_equal(found[0, :, 5:25], share >= 0.5)
    assert not found[0, :, :5].any()
    assert not found[0, :, 25:].any()
    assert (found[1] == -1).all()
    assert torch.equal(found[2], found[0])
    assert (found[3] == 0).all()


def test_a_mask_too_small_for_a_pixel_is_not_an_empty_one() -> None:
    item: Item = {"label": ["1 1", "-1"], "height": 90, "width": 60}
    tiny, empty = LoadMasksd("label", 10)(item)["label"]
    assert tiny.sum() == 1 and tiny[0, Letterbox(90, 60, 10).content[0]] == 1
    assert empty.sum() == 0


def test_several_masks_of_one_finding_are_their_union(tmp_path: Path, blob: np.ndarray) -> None:
    other = blob[::-1, ::-1]
    cell = f"{write(tmp_path / 'a.png', blob)}|{kaggle_rle(other)} | -1"
    np.testing.assert_array_equal(read_mask(cell, (90, 60)), blob | other)
    np.testing.assert_array_equal(read_mask(cell, None), blob | other)


def test_a_host_may_give_one_mask_and_no_size(tmp_path: Path, blob: np.ndarray) -> None:
    path = write(tmp_path / "a.png", blob)
    alone = LoadMasksd("label", 30)({"label": path})["label"]
    assert torch.equal(alone, LoadMasksd("label", 30)({"label": [path], "height": 90, "width": 60})["label"])
    assert LoadMasksd("label", 30, allow_missing_keys=True)({"image": 1}) == {"image": 1}


def test_an_enlarged_mask_comes_back(blob: np.ndarray) -> None:
    box = Letterbox(90, 60, 256)
    square = box.apply(blob.astype(np.float32)) >= 0.5
    back = box.mask_to_image(square)
    assert back.dtype == np.bool_
    assert back.shape == (90, 60)
    assert (back != blob).mean() < 0.002


@pytest.mark.parametrize(
    ("content", "size", "message"),
    [
        (None, (90, 60), r"^mask 1: its file cannot be read \(No such file or directory\)$"),
        (b"", (90, 60), "its file is no whole picture"),
        (b"GIF89a and so on", (90, 60), "its file is no whole picture"),
        ("blob", (60, 90), r"it has 90 x 60 pixels \(rows x columns\), its image 60 x 90$"),
        ("label map", (90, 60), "its brightest pixel is 3 of 255; a mask is 0/255 or 0/1"),
    ],
)
def test_what_is_wrong_is_said_without_the_files_name(
    tmp_path: Path, blob: np.ndarray, content: str | bytes | None, size: tuple[int, int], message: str
) -> None:
    path = tmp_path / "DOE^JANE.png"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content:
        write(path, blob, 255 if content == "blob" else 3)
    with pytest.raises(CxrError, match=message) as caught:
        LoadMasksd("label", 30)({"label": ["", str(path)], "height": size[0], "width": size[1]})
    assert "DOE" not in str(caught.value)


def test_a_run_length_string_needs_the_images_size() -> None:
    with pytest.raises(CxrError, match="needs the image's height and width"):
        LoadMasksd("label", 30)({"label": ["1 4"]})


def test_real_lung_masks(shared_data: Path) -> None:
    """A lung's share of the picture is the same at 224 pixels as in the file, and lies in the letterbox."""
    files = sorted((shared_data / "covid_cxr_notes" / "lung_masks").glob("*.png"))
    assert len(files) == 116
    for file in files[::10]:
        mask = np.asarray(Image.open(file)) > 127
        height, width = mask.shape
        found = LoadMasksd("label", 224)({"label": str(file), "height": height, "width": width})["label"][0]
        x0, y0, x1, y1 = Letterbox(height, width, 224).content
        assert found.sum() == found[y0:y1, x0:x1].sum()
        assert found[y0:y1, x0:x1].mean().item() == pytest.approx(mask.mean(), rel=0.02)
