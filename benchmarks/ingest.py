"""A DICOM file to a 512 x 512 picture in [0, 1], against the chain that MONAI's own parts make."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import imagecodecs
import numpy as np
from monai.transforms import Compose, EnsureChannelFirstd, LoadImaged, Resized, ScaleIntensityRangePercentilesd
from numpy.typing import NDArray
from pydicom.pixels.decoders import JPEGLosslessSV1Decoder
from pydicom.pixels.decoders.base import DecodeRunner

from benchmarks.measure import Row, interleaved, one_thread
from bundle.demo.dicom import write_dx
from scripts.data.reader import CxrReader
from scripts.data.standardize import StandardizeRadiographd

SIZE = 512
DETECTOR = (3056, 2544)
BARS = {"explicit": 8.0, "rle": 4.0, "jpeg_lossless": 2.5, "jpeg_ls": 2.0, "jpeg2000_lossless": 10.0}
LENT = "imagecodecs"


def run(seconds_budget: float = 40.0, seed: int = 0, shape: tuple[int, int] = DETECTOR) -> list[Row]:
    """One row a transfer syntax: CPU milliseconds, one thread, page cache warm, the ways in turn, medians.

    For JPEG lossless pydicom knows one decoder under the GPL and one that can abort the process, so the stock chain
    is lent the one that this project uses; for the other syntaxes it has the plugins that pydicom finds here.

    Args:
        seconds_budget: rounds are added until it is spent; three are made in any case.
        seed: of the picture.
        shape: of the picture, `(rows, columns)`.
    """
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        with one_thread(), TemporaryDirectory() as name:
            ways = _ways(Path(name), seed, shape)
            start = time.process_time()
            interleaved(ways, rounds=1, warmup=0)
            rounds = max(3, math.floor(seconds_budget / (time.process_time() - start)) - 1)
            costs = interleaved(ways, rounds, warmup=0)
    finally:
        cv2.setNumThreads(threads)
    return [
        Row.of(
            f"DICOM to {SIZE} x {SIZE}, {syntax}",
            "stock MONAI chain" + (", lent our decoder" if syntax == "jpeg_lossless" else ""),
            bar,
            costs[f"ours {syntax}"],
            costs[f"stock {syntax}"],
        )
        for syntax, bar in BARS.items()
    ]


def picture(seed: int, shape: tuple[int, int]) -> NDArray[np.uint16]:
    """A detector's picture, 12 bits: smooth anatomy, correlated noise, dark collimation at the sides.

    It compresses like real DX (RLE about 2, JPEG lossless 3, JPEG-LS and JPEG 2000 4), which decoding times depend on.
    """
    rng = np.random.default_rng(seed)
    coarse = rng.normal(0, 500, (shape[0] // 128, shape[1] // 128)).astype(np.float32)
    anatomy = cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_CUBIC) + 2000
    noise = cv2.GaussianBlur(rng.normal(0, 25, shape).astype(np.float32), (0, 0), 0.8)
    pixels = (anatomy + noise).clip(0, 4095).astype(np.uint16)
    pixels[:, : shape[1] // 20] = pixels[:, -shape[1] // 25 :] = 0
    return pixels


def is_available(uid: str) -> bool:
    """What pydicom asks of a decoder's module."""
    return True


def decode_frame(frame: bytes, runner: DecodeRunner) -> bytearray:
    """JPEG lossless for pydicom."""
    return bytearray(imagecodecs.jpeg8_decode(frame).tobytes())


def _ways(folder: Path, seed: int, shape: tuple[int, int]) -> dict[str, Callable[[], Any]]:
    if not JPEGLosslessSV1Decoder.is_available:
        JPEGLosslessSV1Decoder.add_plugin(LENT, (__name__, "decode_frame"))
    ours = Compose(
        [
            LoadImaged(keys="image", reader=CxrReader(decode_size=SIZE)),
            EnsureChannelFirstd(keys="image"),
            StandardizeRadiographd(keys="image", size=SIZE),
        ]
    )
    stock = Compose(
        [
            LoadImaged(keys="image", reader="PydicomReader"),
            EnsureChannelFirstd(keys="image"),
            ScaleIntensityRangePercentilesd(keys="image", lower=0.5, upper=99.5, b_min=0, b_max=1, clip=True),
            Resized(keys="image", spatial_size=(SIZE, SIZE), mode="area"),
        ]
    )
    pixels = picture(seed, shape)
    ways: dict[str, Callable[[], Any]] = {}
    for syntax in BARS:
        item = {"image": str(folder / f"{syntax}.dcm")}
        write_dx(item["image"], pixels, transfer_syntax=syntax, uid_seed=f"{seed} {syntax}")
        ways[f"ours {syntax}"] = partial(ours, item)
        ways[f"stock {syntax}"] = partial(stock, item)
    return ways
