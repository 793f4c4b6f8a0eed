"""Make the demo data set: DICOM files, masks, reports and labels of invented patients, on all cores."""

from __future__ import annotations

import argparse
import json
import os
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from tqdm import tqdm

from scripts.errors import CxrError

from ..processes import process_context
from .dicom import write_dx
from .frame import MM_PER_UNIT, Mask
from .plan import FINDINGS, Study, plan_studies
from .render import Phantom, render
from .reports import write_report

RECIPE_VERSION = 1
_SYNTAX_SHARES = {
    "explicit": 0.3,
    "implicit": 0.12,
    "deflated": 0.06,
    "rle": 0.12,
    "jpeg_lossless": 0.12,
    "jpeg_ls": 0.1,
    "jpeg2000_lossless": 0.08,
    "jpeg2000": 0.05,
    "jpeg_baseline": 0.05,
}
_LOSSY = ("jpeg2000", "jpeg_baseline")
_README = """Demo data: {studies} invented studies of {patients} invented patients, seed {seed}.

Computer-drawn phantoms with computer-written reports. No patient is in here. It is a test bed for software; no result
on it says anything about patients, radiologists or real images.

demo.csv    one row an image: file, patient, view, report,
            labels (1 present, 0 absent, -1 doubted, empty not spoken of),
            masks (0/255 PNG of the image's size), boxes (JSON, [x0, y0, x1, y1] in pixels, far sides exclusive)
dicom/      Digital X-Ray Image Storage, MONOCHROME1 and 2, nine transfer syntaxes
masks/      lungs, heart and each finding
"""


def make_demo(
    out: str | Path,
    studies: int = 600,
    seed: int = 0,
    workers: int | None = None,
    size: tuple[int, int] = (400, 900),
    progress: bool = True,
) -> None:
    """Write the demo data set to a folder; what an interrupted run left is kept.

    The same `studies`, `seed` and `size` give the same files whatever the number of workers, and a larger data set
    begins with the smaller one.

    Args:
        out: folder to make; `demo.csv` in it is written last.
        studies: number of images.
        seed: chooses the patients.
        workers: processes; all cores by default.
        size: smallest and largest longest side in pixels.
        progress: show a bar.

    Raises:
        CxrError: if the folder holds demo data of another recipe, or an argument is out of range.
    """
    out = Path(out)
    if studies < 1 or not 64 <= size[0] <= size[1]:
        raise CxrError(
            f"demo: studies={studies}, size={size}; give at least 1 study and 64 <= smallest <= largest side"
        )
    recipe = {"version": RECIPE_VERSION, "studies": studies, "seed": seed, "size": list(size)}
    if _is_complete(out, recipe):
        return
    for folder in ("dicom", "masks", ".rows"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    _write_text(out / "recipe.json", json.dumps(recipe))

    plans = plan_studies(studies, seed)
    make = partial(make_study, out=out, seed=seed, size=size)
    workers = workers or os.cpu_count() or 1
    bar = partial(tqdm, total=studies, desc="demo data", unit="study", disable=None if progress else True)
    if workers == 1:
        rows = list(bar(map(make, plans)))
    else:
        with ProcessPoolExecutor(workers, process_context(__name__)) as pool:
            rows = list(bar(pool.map(make, plans, chunksize=4)))

    patients = len({plan.patient for plan in plans})
    _write_text(out / "README.txt", _README.format(studies=studies, patients=patients, seed=seed))
    # Int64 keeps `1` from turning into `1.0` where a label is empty somewhere.
    table = pd.DataFrame(rows).astype({f"label_{kind}": "Int64" for kind in FINDINGS})
    _write_text(out / "demo.csv", table.to_csv(index=False))
    for row in (out / ".rows").iterdir():
        row.unlink()
    (out / ".rows").rmdir()


def _is_complete(out: Path, recipe: dict[str, Any]) -> bool:
    """Whether the folder already holds exactly this data set."""
    kept = out / "recipe.json"
    if kept.exists() and json.loads(kept.read_text()) != recipe:
        raise CxrError(
            f"{out} holds demo data of another recipe ({kept.read_text()}); choose another folder or delete it"
        )
    return (out / "demo.csv").exists()


def make_study(plan: Study, *, out: Path, seed: int, size: tuple[int, int]) -> dict[str, Any]:
    """Write one study's files and return its row of `demo.csv`; a study that is already there is only read back."""
    kept = out / ".rows" / f"{plan.name}.json"
    if kept.exists():
        return dict(json.loads(kept.read_text()))
    cv2.setNumThreads(1)  # the pool has a process a core already
    rng = np.random.default_rng((seed, plan.index, 2))
    phantom = render(plan, _shape(rng, size), rng)
    _write_image(out / "dicom" / f"{plan.name}.dcm", plan, phantom, rng, seed)
    row: dict[str, Any] = {
        "image": f"dicom/{plan.name}.dcm",
        "patient_id": f"p{plan.patient:05d}",
        "study_id": plan.name,
        "study_date_offset": plan.day,
        "view": plan.view,
        "sex": "F" if plan.anatomy.female else "M",
        "age": plan.age,
        "report": write_report(plan, np.random.default_rng((seed, plan.index, 3))),
    }
    row |= {f"label_{kind}": None if np.isnan(plan.labels[kind]) else int(plan.labels[kind]) for kind in FINDINGS}
    for name, mask in phantom.masks.items():
        row[f"mask_{name}"] = f"masks/{plan.name}_{name}.png"
        _write_png(out / row[f"mask_{name}"], mask)
    row |= {"boxes": json.dumps(phantom.boxes), "box_labels": json.dumps(phantom.box_labels)}
    _write_text(kept, json.dumps(row))
    return row


def _shape(rng: np.random.Generator, size: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns; small detectors are commoner, as time on a demo is dear."""
    longest = int(size[0] + (size[1] - size[0]) * rng.beta(1.1, 2.6))
    other = int(longest * rng.uniform(0.8, 1.0))
    return (longest, other) if rng.random() < 0.7 else (other, longest)


def _write_image(path: Path, plan: Study, phantom: Phantom, rng: np.random.Generator, seed: int) -> None:
    """Store the picture the way one of many machines would."""
    syntax = str(rng.choice(list(_SYNTAX_SHARES), p=list(_SYNTAX_SHARES.values())))
    bits = 8 if syntax == "jpeg_baseline" else int(rng.choice([12, 12, 12, 10, 14]))
    top = 2**bits - 1
    floor, ceiling = (0.0, 1.0) if rng.random() < 0.5 else (rng.uniform(0.03, 0.2), rng.uniform(0.7, 0.97))
    tone = floor + (ceiling - floor) * phantom.image
    pixels = np.round(tone * top).astype(np.uint8 if bits == 8 else np.uint16)
    pads = syntax not in _LOSSY and not phantom.exposed.all() and rng.random() < 0.6
    if pads:
        pixels = np.where(phantom.exposed, np.maximum(pixels, 1), 0).astype(pixels.dtype)
    rescale = (float(rng.choice([1.0, 2.0])), float(rng.choice([0, -100, 200]))) if rng.random() < 0.25 else None
    slope, intercept = rescale or (1.0, 0.0)
    window = None
    if rng.random() < 0.6:
        low, high = floor + 0.02 * rng.random(), ceiling - 0.03 * rng.random()
        window = (slope * round(top * (low + high) / 2) + intercept, slope * round(top * (high - low)))
    pitch = round(2.8 * MM_PER_UNIT / max(phantom.image.shape) * rng.uniform(0.93, 1.07), 4)
    tags: dict[str, Any] = {
        "ViewPosition": plan.view,
        "PatientID": f"DEMO{plan.patient:05d}",
        "PatientName": "Demo^Phantom",
        "PatientSex": "F" if plan.anatomy.female else "M",
        "PatientAge": f"{plan.age:03d}Y",
        "PatientIdentityRemoved": "YES",
        "StudyDescription": "CHEST " + plan.view,
    }
    if rng.random() < 0.5:
        tags["PixelSpacing"] = [pitch, pitch]
    photometric = "MONOCHROME1" if rng.random() < 0.25 else "MONOCHROME2"
    partial_path = path.with_suffix(".part")
    write_dx(
        partial_path,
        pixels,
        photometric=photometric,
        bits_stored=bits,
        transfer_syntax=syntax,
        spacing=(pitch, pitch),
        window=window,
        rescale=rescale,
        padding_value=0 if pads else None,
        tags=tags,
        uid_seed=f"demo {seed} {plan.name}",
    )
    partial_path.replace(path)


def _write_png(path: Path, mask: Mask) -> None:
    done, data = cv2.imencode(".png", mask, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    if not done:
        raise CxrError(f"{path}: the mask could not be encoded")
    _replace(path, data.tobytes())


def _write_text(path: Path, text: str) -> None:
    _replace(path, text.encode())


def _replace(path: Path, data: bytes) -> None:
    """Never leave half a file under its own name."""
    part = path.with_name(path.name + ".part")
    part.write_bytes(data)
    part.replace(path)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `python -m bundle demo`."""
    parser.add_argument("out", type=Path, help="folder to make")
    parser.add_argument("--studies", type=int, default=600, help="number of images (default 600)")
    parser.add_argument("--seed", type=int, default=0, help="chooses the patients (default 0)")
    parser.add_argument("--workers", type=int, default=None, help="processes (default: all cores)")
    parser.add_argument(
        "--size", type=int, nargs=2, default=(400, 900), metavar=("MIN", "MAX"), help="longest side, pixels"
    )
    parser.add_argument(
        "--montage", type=Path, default=None, metavar="PNG", help="also save a picture of twelve studies"
    )


def main(args: argparse.Namespace) -> int:
    """Run `python -m bundle demo`."""
    make_demo(args.out, args.studies, args.seed, args.workers, tuple(args.size))
    if args.montage:
        from .montage import save_montage  # pydicom's decoders only where they are needed

        save_montage(args.out, args.montage)
    print(f"{args.studies} studies in {args.out} (invented; a test bed, no evidence about patients)")
    return 0
