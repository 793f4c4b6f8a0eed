"""What the miniatures of public data sets are made of: generated pixels, invented rows, real header lines."""

from __future__ import annotations

import io
import tarfile
import zipfile
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np

from bundle.__main__ import main
from bundle.datasets import LAYOUTS, Manifest


def picture(seed: int, height: int = 40, width: int = 32, suffix: str = ".png") -> bytes:
    """Smooth noise as the bytes of a picture file."""
    noise = np.random.default_rng(seed).uniform(0, 255, (height, width)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 3)
    grey = 255 * (smooth - smooth.min()) / np.ptp(smooth)
    done, content = cv2.imencode(suffix, grey.astype(np.uint8))
    assert done
    return content.tobytes()


def lay(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    """Write files, by their paths below the folder."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def pack(folder: Path, archive: Path) -> Path:
    """A zip or tar of a folder's files, by the archive's name; paths as they stand in the folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    if archive.suffix == ".zip":
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
            for path in files:
                file.write(path, path.relative_to(folder))
        return archive
    with tarfile.open(archive, "w" if archive.suffix == ".tar" else "w:gz") as tar:
        for path in files:
            entry = tarfile.TarInfo(path.relative_to(folder).as_posix())
            entry.size = path.stat().st_size
            tar.addfile(entry, io.BytesIO(path.read_bytes()))
    return archive


def manifest(layout: str, source: Path, *arguments: str) -> Manifest:
    """What a layout reads."""
    parser = ArgumentParser()
    LAYOUTS[layout].add_arguments(parser)
    return LAYOUTS[layout].read(parser.parse_args(arguments, Namespace(source=str(source), seed=0)))


def prepare(layout: str, source: Path, out: Path, *arguments: str) -> Path:
    """`python -m bundle prepare LAYOUT SOURCE OUT`, small and without a language model; OUT."""
    small = ("--size", "32", "--workers", "1", "--language-model", "none", "--deidentified")
    assert main(["prepare", layout, str(source), str(out), *small, *arguments]) == 0
    return out
