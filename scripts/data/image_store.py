"""The image store: every radiograph decoded once, at one size, in one memory-mapped file."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from ..atomic import atomic_path, publish_once
from ..errors import CxrError
from .prepared import PreparedFolder

VERSION = 1


@dataclass(frozen=True)
class StoreSettings:
    """What makes the pixels of a store: two stores of equal settings and input hold the same bytes.

    Args:
        size: side S of the square images, pixels.
        dtype: "uint8" or "uint16".
        percentiles: lower and upper percentile that become 0 and the dtype's maximum.
        decode_size: shortest side that a reduced-resolution decode may return; None = exact decode.
    """

    size: int = 256
    dtype: Literal["uint8", "uint16"] = "uint8"
    percentiles: tuple[float, float] = (0.5, 99.5)
    decode_size: int | None = None


class ImageStore:
    """Finished store, read only: `store[row]` is an (S, S) view of the file, no copy.

    Args:
        path: the folder made by prepare, or its images.npy.

    Raises:
        CxrError: when there is no store, or images.npy and images.json do not belong together.
    """

    def __init__(self, path: str | Path) -> None:
        folder = Path(path).parent if Path(path).suffix == ".npy" else Path(path)
        self.path = PreparedFolder(folder).images
        if not self.path.is_file():
            raise CxrError(
                f"no image store at {self.path}. Make it with: python -m bundle prepare LAYOUT SOURCE {folder}"
            )
        self.settings, count = _read_settings(self.path.with_suffix(".json"))
        try:
            mapped = np.load(self.path, mmap_mode="r", allow_pickle=False)
        except (ValueError, OSError) as error:
            raise CxrError(
                f"{self.path} is not a whole image store ({error}). Delete it and run prepare again."
            ) from error
        side = self.settings.size
        if mapped.shape != (count, side, side) or mapped.dtype != self.settings.dtype:
            raise CxrError(
                f"{self.path} holds {mapped.dtype}{mapped.shape}, but images.json beside it says "
                f"{self.settings.dtype}({count}, {side}, {side}). Delete both and run prepare again."
            )
        # A plain view: indexing np.memmap builds a subclass object, three times the cost of the read.
        self._images = mapped.view(np.ndarray)

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, row: int) -> np.ndarray:
        return self._images[row]


class ImageStoreWriter:
    """Store in the making, `images.npy.part`, to which many processes write their own rows at once.

    A finished store is opened as it is, for rows that are tried again. Rows never written stay 0. Which rows are done
    is the caller's to remember: see `bundle.prepare.journal`.

    Args:
        folder: the output folder.
        count: number of rows N.
        settings: the pixels' settings.
    """

    def __init__(self, folder: Path, count: int, settings: StoreSettings) -> None:
        self.settings, self.count = settings, count
        self.final = PreparedFolder(folder).images
        self.part = self.final.with_name(f"{self.final.name}.part")
        shape = (count, settings.size, settings.size)
        if not self.part.exists() and not self.final.exists():
            _allocate(self.part, shape, np.dtype(settings.dtype))
        path = self.part if self.part.exists() else self.final
        self._images = np.lib.format.open_memmap(path, mode="r+")
        if self._images.shape != shape or self._images.dtype != settings.dtype:
            raise CxrError(
                f"{path} belongs to another run ({self._images.dtype}{self._images.shape}); delete it and run again."
            )

    def __setitem__(self, row: int, image: np.ndarray) -> None:
        self._images[row] = image

    def flush(self) -> None:
        """Write what was set to the disk."""
        self._images.flush()

    def finish(self) -> None:
        """Describe the store and give it its name; from here on `ImageStore` opens it."""
        self.flush()
        with atomic_path(self.final.with_suffix(".json")) as path:
            path.write_text(json.dumps({"version": VERSION, "count": self.count, **asdict(self.settings)}, indent=1))
        if self.part.exists():
            self.part.replace(self.final)


def _read_settings(path: Path) -> tuple[StoreSettings, int]:
    try:
        content = json.loads(path.read_text())
        if content.pop("version") != VERSION:
            raise CxrError(f"{path} was written by another version of prepare. Run prepare again into a new folder.")
        count = content.pop("count")
        return StoreSettings(**{**content, "percentiles": tuple(content["percentiles"])}), count
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CxrError(f"{path} is missing or damaged ({error}). Run prepare again.") from error


def _allocate(path: Path, shape: tuple[int, int, int], dtype: np.dtype) -> None:
    """Reserve every byte now: a full disk is an error here, and not a SIGBUS in a worker hours later."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_2_0(file, header)
            file.flush()
            total = file.tell() + int(np.prod(shape)) * dtype.itemsize
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, total)
            else:
                file.truncate(total)
        publish_once(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
