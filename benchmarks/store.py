"""Reading a stored image, against decoding its file, MONAI's PersistentDataset, and a bare memory map."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np
import torch
from monai.data import PersistentDataset
from monai.transforms import Compose, EnsureChannelFirstd, LoadImaged, Resized, ScaleIntensityRangePercentilesd

from benchmarks.measure import Row, interleaved, one_thread
from bundle.demo.dicom import write_dx
from scripts.data.image_store import ImageStore, ImageStoreWriter, StoreSettings
from scripts.data.standardize import StandardizeRadiographd
from scripts.data.store_reader import StoreReader
from scripts.radiograph.standard_image import standardize

SIZE = 512
DETECTOR = (3056, 2544)  # pixels of a usual DX detector
DECODE_BAR, PERSISTENT_BAR, BARE_BAR, BYTES_BAR = 1500.0, 3.0, 0.5, 1 / 0.3


def run(rounds: int = 9, samples: int = 16, seed: int = 0) -> list[Row]:
    """CPU milliseconds a sample to a float32 tensor in [0, 1], one thread, page cache warm; all ways in turn, medians.

    The stock chain reads an uncompressed file, its fastest case. The last row is the same read with all that stock
    LoadImaged wraps around it; it has no bar.

    Args:
        rounds: measurements of each way.
        samples: stored images, each read 16 times a round.
        seed: of the picture.
    """
    cv2.setNumThreads(1)
    with one_thread(), TemporaryDirectory() as name:
        ways, share = _ways(Path(name), samples, seed)
        costs = _measure(ways, rounds, samples)
    n = rounds * samples * 16
    read = "stored sample to tensor"
    return [
        Row.of(read, "stock decode", DECODE_BAR, costs["store"], costs["decode"], n),
        Row.of(read, "MONAI PersistentDataset", PERSISTENT_BAR, costs["store"], costs["persistent"], n),
        Row(
            "bytes on the disk a sample", "MONAI PersistentDataset", 1 / share, BYTES_BAR, share, 1.0, samples, "share"
        ),
        Row.of(read, "bare memory map to tensor", BARE_BAR, costs["store"], costs["bare"], n),
        Row.of(f"{read}, through LoadImaged", "stock decode", None, costs["loadimaged"], costs["decode"], n),
    ]


def _ways(folder: Path, samples: int, seed: int) -> tuple[dict[str, Callable[[int], Any]], float]:
    """Functions of a sample's number, each giving a float32 image; and our share of PersistentDataset's bytes."""
    noise = np.random.default_rng(seed).uniform(0, 4095, (96, 80)).astype(np.float32)
    picture = cv2.resize(noise, DETECTOR[::-1], interpolation=cv2.INTER_CUBIC).clip(0, 4095).astype(np.uint16)
    write_dx(folder / "dx.dcm", picture, uid_seed=str(seed))
    stock = Compose(
        [
            LoadImaged(keys="image", reader="PydicomReader"),
            EnsureChannelFirstd(keys="image"),
            ScaleIntensityRangePercentilesd(keys="image", lower=0.5, upper=99.5, b_min=0, b_max=1, clip=True),
            Resized(keys="image", spatial_size=(SIZE, SIZE), mode="area"),
        ]
    )
    items = [{"image": str(folder / "dx.dcm"), "number": number} for number in range(samples)]
    persistent = PersistentDataset(items, stock, cache_dir=folder / "cache")
    writer = ImageStoreWriter(folder, samples, StoreSettings(size=SIZE))
    for number in range(samples):
        persistent[number]  # fills its cache
        writer[number] = standardize(picture, SIZE)
    writer.finish()
    store, bare = ImageStore(folder), np.load(folder / "images.npy", mmap_mode="r")
    loaded = Compose(
        [
            LoadImaged(keys="image", reader=StoreReader()),
            EnsureChannelFirstd(keys="image"),
            StandardizeRadiographd(keys="image", size=SIZE),
        ]
    )
    ways = {
        "store": lambda number: _tensor(store[number]),
        "bare": lambda number: _tensor(bare[number]),
        "persistent": lambda number: persistent[number]["image"],
        "loadimaged": lambda number: loaded({"image": f"{store.path}::{number}"})["image"],
        "decode": lambda number: stock(items[number])["image"],
    }
    cached = sum(file.stat().st_size for file in (folder / "cache").iterdir())
    return ways, store.path.stat().st_size / cached


def _tensor(pixels: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(pixels.astype(np.float32)).div_(255)


def _measure(ways: dict[str, Callable[[int], Any]], rounds: int, samples: int) -> dict[str, list[float]]:
    """CPU milliseconds a sample of each way in each round."""
    order = np.random.default_rng(0)
    reads = {name: [0] if name == "decode" else order.integers(0, samples, samples * 16).tolist() for name in ways}
    costs = interleaved({name: partial(_read_all, read, reads[name]) for name, read in ways.items()}, rounds)
    return {name: [cost / len(reads[name]) for cost in values] for name, values in costs.items()}


def _read_all(read: Callable[[int], Any], numbers: list[int]) -> None:
    for number in numbers:
        read(number)
