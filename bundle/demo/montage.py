"""A picture of the demo data: the radiographs as they are, and once more with what is to be found in them."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from scripts.data.masks import read_mask
from scripts.data.reader import CxrReader

from .frame import Mask
from .plan import BOXED

_COLOURS = {
    "opacity": (40, 200, 255),
    "effusion": (255, 160, 60),
    "pneumothorax": (90, 255, 120),
    "nodule": (90, 90, 255),
}
_OUTLINES = {"lungs": (210, 190, 120), "heart": (150, 120, 220)}


def save_montage(data: str | Path, path: str | Path, columns: int = 6, tile: int = 220) -> None:
    """Save studies of a demo folder in two bands of two rows: plain, and with outlines and boxes.

    Args:
        data: folder made by `make_demo`.
        path: PNG to write.
        columns: studies in a row.
        tile: side of a study's square in pixels.
    """
    data = Path(data)
    table = pd.read_csv(data / "demo.csv")
    rows = [row for _, row in table.iloc[_choose(table, 2 * columns)].iterrows()]
    pairs = [_tiles(data, row, tile) for row in rows]
    bands = []
    for start in range(0, len(pairs), columns):
        band = pairs[start : start + columns]
        bands += [np.hstack([plain for plain, _ in band]), np.hstack([marked for _, marked in band])]
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    # A coarser grey scale that nobody sees halves the file.
    cv2.imwrite(str(path), np.vstack(bands) // 8 * 8, [cv2.IMWRITE_PNG_COMPRESSION, 9])


def _choose(table: pd.DataFrame, count: int) -> list[int]:
    """Row numbers of distinct patients, every kind of finding in turn, then none."""
    chosen: list[int] = []
    kinds = [*BOXED, "cardiomegaly", ""]
    findings = table[[f"label_{kind}" for kind in kinds if kind]]
    for turn in range(count):
        kind = kinds[turn % len(kinds)]
        wanted = table[f"label_{kind}"] == 1 if kind else (findings == 0).all(axis=1)
        free = wanted & ~table.patient_id.isin(table.patient_id.iloc[chosen])
        if free.any():
            chosen.append(int(np.flatnonzero(free)[0]))
    while len(chosen) < count and len(chosen) < len(table):
        chosen.append(next(row for row in range(len(table)) if row not in chosen))
    return chosen


def _tiles(data: Path, row: pd.Series, side: int) -> tuple[Mask, Mask]:
    reader = CxrReader()
    pixels = reader.get_data(reader.read(str(data / row.image)))[0].squeeze().astype(np.float32)
    low, high = np.percentile(pixels, [0.5, 99.5])
    scale = side / max(pixels.shape)
    size = (round(pixels.shape[1] * scale), round(pixels.shape[0] * scale))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    grey = (np.clip((small - low) / (high - low), 0, 1) * 255).astype(np.uint8)
    plain = cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)
    marked = plain.copy()
    for name, colour in _OUTLINES.items():
        mask = cv2.resize(
            read_mask(str(data / row[f"mask_{name}"]), None).astype(np.uint8), size, interpolation=cv2.INTER_NEAREST
        )
        cv2.drawContours(marked, cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0], -1, colour, 1)
    for corners, name in zip(json.loads(row.boxes), json.loads(row.box_labels)):
        x0, y0, x1, y1 = (round(value * scale) for value in corners)
        cv2.rectangle(marked, (x0, y0), (x1 - 1, y1 - 1), _COLOURS[name], 1)
        cv2.putText(marked, name, (x0, max(y0 - 3, 9)), cv2.FONT_HERSHEY_SIMPLEX, 0.33, _COLOURS[name], 1, cv2.LINE_AA)
    return _square(plain, side), _square(marked, side)


def _square(image: Mask, side: int) -> Mask:
    down, right = side - image.shape[0], side - image.shape[1]
    return np.asarray(
        cv2.copyMakeBorder(
            image, down // 2, down - down // 2, right // 2, right - right // 2, cv2.BORDER_CONSTANT, value=(0, 0, 0)
        ),
        np.uint8,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder made by `python -m bundle demo`")
    parser.add_argument("picture", type=Path, help="PNG to write")
    arguments = parser.parse_args()
    save_montage(arguments.data, arguments.picture)
