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
from scripts.errors import CxrError, UnreadableError
from scripts.radiograph.file_kind import is_dicom
from scripts.radiograph.standard_image import standardize

from ..datasets.archive import local_file


class Ingest:
    """Callable `(row, path, content) -> facts` that writes the row's pixels to the store in the making.

    return {**size, **words, **spacing, "itk_affine": meta["itk_affine"].ravel().tolist()}

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

    def __call__(self, task: tuple[int, str, bytes | None]) -> dict[str, Any]:
        row, path, content = task
        try:
            with local_file(path, content) as file:
                path = str(file)
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
            return {"exclude_reason": f"unreadable: {why_unreadable(error, path)}"}
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
    words = {key: meta.get(key) or None for key in ("photometric", "view", "remarks")}
    size = {"height": meta.get("height", image.shape[-2]), "width": meta.get("width", image.shape[-1])}
    spacing = {axis: distance for axis in ("spacing_y", "spacing_x") if np.isfinite(distance := meta.get(axis, np.nan))}
    return {**size, **words, **spacing, "itk_affine": meta["itk_affine"].ravel().tolist()}


def why_unreadable(error: Exception, path: str) -> str:
    """Why a file is unreadable, in our own words; others quote the file, and only their error's kind is said."""
    for own in (error.__cause__, error):
        if isinstance(own, (UnreadableError, CxrError)):
            return str(own).replace(str(Path(path)), "the file").splitlines()[0]
    return f"it is damaged ({type(error).__name__})"
