"""Cells of a sweep without training: predictions whose quality is known, written as an evaluation writes them."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bundle.jobs.record import Record, begin, write_record
from bundle.sweep.plan import Cell

NAMES = ("edema", "nodule")
IMAGES, PATIENTS = 120, 60


@dataclass(frozen=True)
class FakeWork:
    """In place of MONAI's workflows: `ours` answers better than `random`, and better with more labels.

    Args:
        log: gets a line a cell that is run.
        fail, kill: names of cells that raise, or end their process, on their first attempt.
    """

    log: Path
    fail: tuple[str, ...] = ()
    kill: tuple[str, ...] = ()
    no_positive: tuple[str, ...] = ()

    def __call__(self, cell: Cell, device: str) -> Record:
        before = self.log.read_text() if self.log.exists() else ""
        with self.log.open("a") as file:
            file.write(f"{cell.name} on {device}\n")
        begin(cell)
        if cell.name not in before:
            if any(part in cell.name for part in self.kill):
                os.kill(os.getpid(), signal.SIGKILL)
            if any(part in cell.name for part in self.fail):
                return write_record(cell, Record("failed", "out of luck", seconds=1.0))
        return write_record(cell, replace(fake_record(cell, self.no_positive), seconds=1.0))


def fake_record(cell: Cell, no_positive: tuple[str, ...] = ()) -> Record:
    """Writes the predictions of a cell; its record."""
    folder = cell.folder / "evaluation"
    folder.mkdir(parents=True, exist_ok=True)
    predictions(cell).to_parquet(folder / "predictions.parquet", index=False)
    images = 5 * cell.fraction
    positives = {name: 0 if name in no_positive and cell.fraction == 1 else images // 2 for name in NAMES}
    training = {"images": images, "patients": images // 2, "positives": positives}
    metrics = {"auroc": quality(cell), "dice_per_image": quality(cell), "dice_all_empty": 0.25, "map_40_75": 0.2}
    return Record("done", names=NAMES, training=training, metrics=metrics, value=quality(cell))


def quality(cell: Cell) -> float:
    """0 = chance, 1 = never wrong."""
    start = {"random": 0.15, "ours": 0.45}.get(cell.init, 0.3)
    return min(0.95, start + 0.12 * np.log10(cell.fraction) * (1.4 if cell.mode == "tuned" else 1.0))


def predictions(cell: Cell) -> pd.DataFrame:
    """As `predictions.parquet`: the truth is the same for all cells, the answers are as good as `quality` says."""
    # A generator of its own for what all cells share; what differs is drawn from another.
    truth = np.random.default_rng(7)
    noise = np.random.default_rng(list(cell.name.encode()))
    table: dict[str, Any] = {
        "image_id": [f"i{index:03}" for index in range(IMAGES)],
        "patient": np.arange(IMAGES) % PATIENTS,
        "split": ["val" if index % PATIENTS < 12 else "test" for index in range(IMAGES)],
    }
    good = quality(cell)
    if cell.task == "detection":
        table |= _boxes(truth, noise, good)
    for name in NAMES if cell.task != "detection" else ():
        label = (truth.random(IMAGES) < 0.4).astype(float)
        if cell.task == "classification":
            table[f"label_{name}"] = label
            table[f"logit_{name}"] = 3 * good * label + noise.normal(size=IMAGES)
        else:
            table[f"true_{name}"] = 100 * label
            table[f"pred_{name}"] = 100 * label
            table[f"tp_{name}"] = np.clip(100 * good + 10 * noise.normal(size=IMAGES), 0, 100) * label
    frame = pd.DataFrame(table)
    if cell.fold is None:
        return frame
    # Five folds by patient: test is fold k, validation the next.
    fold = frame["patient"] % 5
    frame["split"] = np.where(fold == cell.fold, "test", np.where(fold == (cell.fold + 1) % 5, "val", "train"))
    frame = frame[frame["split"] != "train"].reset_index(drop=True)
    if cell.task == "classification":  # networks of different folds speak on different scales
        for name in NAMES:
            frame[f"logit_{name}"] = frame[f"logit_{name}"] * (1 + cell.fold) + 10 * cell.fold
    frame["patient"] = pd.factorize(frame["patient"])[0]
    return frame


def _boxes(truth: np.random.Generator, noise: np.random.Generator, good: float) -> dict[str, list]:
    columns: dict[str, list] = {key: [] for key in ("boxes", "scores", "classes", "true_boxes", "true_classes")}
    for _ in range(IMAGES):
        corner, side, kind = truth.uniform(0, 30, 2), truth.uniform(12, 30), int(truth.integers(2))
        there = truth.random() < 0.6
        true = [*corner, *(corner + side)]
        found = [[*(corner + shift), *(corner + side + shift)] for shift in [noise.normal() * 6 * (1 - good)]]
        columns["true_boxes"].append([true] if there else [])
        columns["true_classes"].append([kind] if there else [])
        columns["boxes"].append(found if there or noise.random() > good else [])
        columns["scores"].append([float(noise.random() * 0.5 + 0.5 * there * good)][: len(columns["boxes"][-1])])
        columns["classes"].append([kind][: len(columns["boxes"][-1])])
    return columns


def torch_threads(task: Any, device: str) -> int:
    """Work that says how many threads its worker computes on."""
    import torch

    return torch.get_num_threads()


def process_id(task: Any, device: str) -> int:
    """Work that says in which process it is done."""
    return os.getpid()
