"""The features of images by one encoder, on disk: parts that are written once and read together."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import torch
from filelock import FileLock
from numpy.typing import NDArray
from torch import nn

from ..atomic import writing
from ..errors import CxrError

Storage = Literal["float16", "float32"]
_IDS = ".ids.npy"
# Counts up whenever an encoder of the same weights gives other features than before.
POOLING = 2


class StoredFeatures:
    """Features of a list of images, one row an image; those on disk stay there, mapped into memory.

    Args:
        parts: arrays `[m, …]`, or the `.npy` files that hold them.
        places: `[n, 2]` part and row of each image; -1 where it has none.
    """

    def __init__(self, parts: Sequence[Path | NDArray[Any]], places: NDArray[np.int64]) -> None:
        self.parts = list(parts)
        self.places = places
        self._opened: dict[int, NDArray[Any]] = {}

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: int) -> torch.Tensor:
        """Features of image `index`, float32."""
        part, row = self.places[index]
        if part < 0:
            raise CxrError(f"Image {index} has no features.")
        return torch.from_numpy(self._open(int(part))[row].astype(np.float32))

    @property
    def missing(self) -> list[int]:
        """Indices of images without features."""
        return np.flatnonzero(self.places[:, 0] < 0).tolist()

    def take(self, indices: Sequence[int]) -> StoredFeatures:
        """Those of other images of the list, in this order."""
        return StoredFeatures(self.parts, self.places[list(indices)])

    def _open(self, part: int) -> NDArray[Any]:
        if part not in self._opened:
            found = self.parts[part]
            self._opened[part] = np.load(found, mmap_mode="r") if isinstance(found, Path) else found
        return self._opened[part]

    def __getstate__(self) -> dict[str, Any]:
        """A copy in another process maps the files anew."""
        return {**self.__dict__, "_opened": {}}


class FeatureFiles:
    """`<folder>/<key>/`: pairs of `<part>.npy`, features `[m, …]`, and `<part>.ids.npy`, whose they are, written last;
    another split, fold or label fraction of the same images finds them there, and a kill costs the last part.

    Args:
        folder: of all encoders; None keeps them in memory.
        key: of one encoder and its preprocessing; see `encoder_key`.
        storage: precision of the stored numbers.
    """

    def __init__(self, folder: Path | None, key: str, storage: Storage = "float32") -> None:
        if storage not in ("float16", "float32"):
            raise CxrError(f"Features are stored as float16 or float32, not {storage!r}.")
        self.folder = None if folder is None else folder / f"{key}-{storage}"
        self.storage = np.dtype(storage)
        self._memory: list[tuple[list[str], NDArray[Any]]] = []

    def find(self, ids: Sequence[str]) -> StoredFeatures:
        """Features of the images with these ids, as far as they are there."""
        names = sorted(self.folder.glob(f"*{_IDS}")) if self.folder else []
        files = [(np.load(name).tolist(), name.with_name(name.name.replace(_IDS, ".npy"))) for name in names]
        parts: list[tuple[list[str], Path | NDArray[Any]]] = [*files, *self._memory]
        known = {image: (part, row) for part, (images, _) in enumerate(parts) for row, image in enumerate(images)}
        places = np.array([known.get(image, (-1, -1)) for image in ids], np.int64).reshape(-1, 2)
        return StoredFeatures([part for _, part in parts], places)

    def add(self, ids: Sequence[str], features: NDArray[Any]) -> None:
        """Writes a part; the images of rows that are not finite in the stored precision get none."""
        with np.errstate(over="ignore"):
            rows = features.astype(self.storage)
        good = np.array([np.isfinite(row).all() for row in rows], bool)
        ids, rows = [image for image, kept in zip(ids, good) if kept], rows[good]
        if self.folder is None:
            self._memory.append((ids, rows))
        elif ids:
            name = hashlib.blake2b("".join(ids).encode(), digest_size=8).hexdigest()
            _write(self.folder / f"{name}.npy", rows)
            _write(self.folder / f"{name}{_IDS}", np.array(ids))

    @contextmanager
    def lock(self) -> Iterator[None]:
        """One run computes at a time; another that wants the same features waits, and then finds them."""
        if self.folder is None:
            yield
            return
        lock = FileLock(self.folder / ".lock")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except OSError as error:
            raise CxrError(
                f"Features cannot be kept in {self.folder} ({error}): give a folder that can be written to "
                "(features_dir; in a task cache_dir)."
            ) from error
        try:
            yield
        finally:
            lock.release()


def _write(path: Path, array: NDArray[Any]) -> None:
    with writing(path) as part, part.open("wb") as file:
        np.save(file, array)


def encoder_key(encoder: nn.Module, identity: Mapping[str, Any]) -> str:
    """Digest of an encoder's weights and of what else its features depend on."""
    digest = hashlib.blake2b(repr(sorted({**identity, "pooling": POOLING}.items())).encode(), digest_size=16)
    for name, value in sorted(encoder.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def preprocessing_key(transform: Callable[[dict[str, Any]], Any]) -> str:
    """Digest of what a preprocessing makes of one drawn picture: another normalisation, size or rounding is another
    key, however its configuration is written.
    """
    ramp = np.add.outer(np.arange(96) * 2, np.arange(80)).astype(np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ramp.png"
        cv2.imwrite(str(path), ramp)
        image = torch.as_tensor(transform({"image": str(path)})["image"])
    return hashlib.blake2b(image.contiguous().float().numpy().tobytes(), digest_size=16).hexdigest()


def image_ids(items: Sequence[Mapping[str, Any]]) -> list[str]:
    """Digest of each item's image: its name, and the size and time of its file."""
    stamps: dict[str, str] = {}
    ids = []
    for item in items:
        file = str(item["image"]).split("::", maxsplit=1)[0]
        if file not in stamps:
            stat = Path(file).stat() if Path(file).is_file() else None
            stamps[file] = f"{stat.st_size} {stat.st_mtime_ns}" if stat else ""
        ids.append(hashlib.blake2b(f"{item['image']} {stamps[file]}".encode(), digest_size=16).hexdigest())
    return ids
