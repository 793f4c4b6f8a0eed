"""The image store: what is written is read, and what does not belong together is refused."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import numpy as np
import pytest

from scripts.data.image_store import ImageStore, ImageStoreWriter, StoreSettings
from scripts.errors import CxrError


def images(count: int, settings: StoreSettings) -> np.ndarray:
    top = np.iinfo(settings.dtype).max
    return np.random.default_rng(0).integers(0, top + 1, (count, settings.size, settings.size), dtype=settings.dtype)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_rows_written_by_several_writers_are_read(tmp_path, dtype):
    settings = StoreSettings(size=16, dtype=dtype, percentiles=(1, 99), decode_size=16)
    pixels = images(6, settings)
    first, second = ImageStoreWriter(tmp_path, 6, settings), ImageStoreWriter(tmp_path, 6, settings)
    for row in range(6):
        (first, second)[row % 2][row] = pixels[row]
    assert not (tmp_path / "images.npy").exists()
    first.finish()
    for path in (tmp_path, tmp_path / "images.npy"):
        store = ImageStore(path)
        assert len(store) == 6
        assert store.settings == settings
        assert type(store[2]) is np.ndarray
        np.testing.assert_array_equal(store[2], pixels[2])
    np.testing.assert_array_equal(np.load(tmp_path / "images.npy"), pixels)  # a plain npy file for anybody else
    assert sorted(p.name for p in tmp_path.iterdir()) == ["images.json", "images.npy"]


def test_rows_can_be_tried_again_in_a_finished_store(tmp_path):
    settings = StoreSettings(size=4)
    pixels = images(2, settings)
    writer = ImageStoreWriter(tmp_path, 2, settings)
    writer[0] = pixels[0]
    writer.finish()
    again = ImageStoreWriter(tmp_path, 2, settings)
    again[1] = pixels[1]
    again.finish()
    np.testing.assert_array_equal([ImageStore(tmp_path)[row] for row in (0, 1)], pixels)


def test_a_missing_store_names_the_cure(tmp_path):
    with pytest.raises(CxrError, match=r"images\.npy.*python -m bundle prepare"):
        ImageStore(tmp_path)


def test_a_store_in_the_making_is_none(tmp_path):
    ImageStoreWriter(tmp_path, 2, StoreSettings(size=4))
    with pytest.raises(CxrError, match="no image store"):
        ImageStore(tmp_path)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ({"count": 3}, r"holds uint8\(2, 4, 4\).*says uint8\(3, 4, 4\)"),
        ({"dtype": "uint16"}, "says uint16"),
        ({"version": 99}, "another version"),
        ({"unknown": 1}, "missing or damaged"),
    ],
)
def test_json_and_npy_must_agree(tmp_path, damage, message):
    ImageStoreWriter(tmp_path, 2, StoreSettings(size=4)).finish()
    path = tmp_path / "images.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | damage))
    with pytest.raises(CxrError, match=message):
        ImageStore(tmp_path)


def test_a_truncated_store_is_refused(tmp_path):
    ImageStoreWriter(tmp_path, 2, StoreSettings(size=64)).finish()
    with (tmp_path / "images.npy").open("rb+") as file:
        file.truncate(5000)
    with pytest.raises(CxrError, match="not a whole image store"):
        ImageStore(tmp_path)


def test_another_run_s_file_is_not_overwritten(tmp_path):
    ImageStoreWriter(tmp_path, 2, StoreSettings(size=4))
    with pytest.raises(CxrError, match="another run"):
        ImageStoreWriter(tmp_path, 2, StoreSettings(size=8))


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="no posix_fallocate")
def test_space_is_taken_at_once_so_a_full_disk_is_known_at_the_start(tmp_path, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    ImageStoreWriter(tmp_path, 10, StoreSettings(size=64))
    part = tmp_path / "images.npy.part"
    assert part.stat().st_blocks * 512 >= 10 * 64 * 64  # really taken, no sparse file
    part.unlink()
    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space left"):
        ImageStoreWriter(tmp_path, 10, StoreSettings(size=64))
    assert list(Path(tmp_path).iterdir()) == []
