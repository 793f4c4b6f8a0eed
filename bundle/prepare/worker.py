"""What a worker process does with one file: decode, standardise, store, and say what it was."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from scripts.data.image_store import ImageStoreWriter, StoreSettings
from scripts.data.picture_reader import PictureReader
from scripts.data.reader import CxrReader
from scripts.data.sniff import is_dicom
from scripts.data.standardize import standardize
from scripts.errors import CxrError

REASON_LENGTH = 200


class Ingest:
    """Callable `(row, path) -> facts` that writes the row's pixels to the store in the making.

    Facts: `exclude_reason` ("" = stored; else "kind: detail", without the file's name, which may hold a patient's), and
    of a stored image `height, width` (original pixels), `spacing_y, spacing_x` (mm), `itk_affine` (4 x 4, row by row),
    `photometric`, `view`, `pixels` (a digest of the stored bytes).

    Args:
        out: output folder.
        count: rows of the store.
        settings: the store's settings.
    """

    def __init__(self, out: Path, count: int, settings: StoreSettings) -> None:
        cv2.setNumThreads(1)  # a process a core already
        torch.set_num_threads(1)
        self.settings = settings
        self.store = ImageStoreWriter(out, count, settings)
        self.dicom = CxrReader(decode_size=settings.decode_size)
        self.picture = PictureReader()

    def __call__(self, task: tuple[int, str]) -> dict[str, Any]:
        row, path = task
        try:
            image, meta = self._read(path)
            pixels = standardize(
                image,
                self.settings.size,
                self.settings.dtype,
                self.settings.percentiles,
                meta.get("padding", float("nan")),
            )
        except FileNotFoundError:
            return {"exclude_reason": "missing file"}
        except Exception as error:  # decoders raise whatever they like on a damaged file
            if isinstance(error, MemoryError) or isinstance(error.__cause__, MemoryError):
                raise MemoryError from error
            return {"exclude_reason": f"unreadable: {_without_name(error, path)}"}
        if not pixels.any():
            return {"exclude_reason": "no contrast: all pixels have the same value"}
        self.store[row] = pixels
        return {
            "exclude_reason": "",
            **_facts(image, meta),
            "pixels": hashlib.blake2b(pixels.tobytes(), digest_size=16).hexdigest(),
        }

    def _read(self, path: str) -> tuple[np.ndarray, dict[str, Any]]:
        if not Path(path).stat().st_size:
            raise CxrError("the file is empty")
        reader = self.dicom if is_dicom(Path(path)) else self.picture
        image, meta = reader.get_data(reader.read(path))
        return (np.moveaxis(image, -1, 0) if image.ndim == 3 and image.shape[-1] in (2, 3, 4) else image), meta


def _facts(image: np.ndarray, meta: dict[str, Any]) -> dict[str, Any]:
    facts = {"height": image.shape[-2], "width": image.shape[-1], "photometric": None, "view": None, **meta}
    spacing = {axis: distance for axis in ("spacing_y", "spacing_x") if np.isfinite(distance := meta.get(axis, np.nan))}
    return {**{key: facts[key] or None for key in ("height", "width", "photometric", "view")}, **spacing} | {
        "itk_affine": meta["itk_affine"].ravel().tolist()
    }


def _without_name(error: Exception, path: str) -> str:
    """First line of a message; file names can hold a patient's name."""
    text = str(error).strip() or type(error).__name__
    text = text.removeprefix(f"{path}: ").replace(path, "the file").replace(Path(path).name, "the file")
    return text.splitlines()[0][:REASON_LENGTH]
