"""The frozen model's vectors of all distinct reports: computed once, ever."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from filelock import FileLock

from ..atomic import write_text_atomically, writing
from ..errors import CxrError
from .key import text_key
from .language_model import FrozenLanguageModel

_COMMIT_ROWS = 8192  # what a kill can lose


class TextStore:
    """Vectors by text.

    On disk, `folder/<model.key>/` holds `embeddings.npy` [rows, dim], `index.parquet` (key, row) and `model.json`.
    A key is the text's hash: no report is stored. Rows are only ever appended; the index, replaced atomically, says
    which rows count, so that a kill loses the last rows at most, and many processes may read while one writes. In
    memory (`folder=None`) the vectors are rounded as on disk, so that both roads give the same numbers.

    The model is loaded only for texts that the store lacks; a hub model need not be on the machine at all for those
    that it has. A store made by another revision of the same model is refused, unless that revision was asked for.

    Args:
        folder: where the stores of all models lie; None keeps the vectors in memory.
        model: the language model.
        storage: precision of the stored numbers.
    """

    def __init__(
        self,
        folder: str | Path | None,
        model: FrozenLanguageModel,
        storage: Literal["float16", "float32"] = "float16",
    ) -> None:
        if storage not in ("float16", "float32"):
            raise CxrError(f"Text store storage '{storage}': choose float16 or float32.")
        self.model = model
        self.folder = Path(folder) if folder is not None else None
        self.storage = np.dtype(storage)
        self._rows: dict[str, int] = {}
        self._vectors: np.ndarray | None = None
        self._opened = False

    @property
    def path(self) -> Path | None:
        """Folder of this model's vectors."""
        return None if self.folder is None else self.folder / self.model.key

    @property
    def dim(self) -> int:
        """Width of a vector."""
        self._open()
        return self.model.dim if self._vectors is None else int(self._vectors.shape[1])

    def identity(self) -> dict[str, Any]:
        """The model's, at the revision that the store was made with."""
        self._open()
        return self.model.identity()

    def __len__(self) -> int:
        self._open()
        return len(self._rows)

    def ensure(self, texts: Iterable[str], progress: bool = True, stop: Callable[[], bool] | None = None) -> int:
        """Embed the distinct texts that the store lacks.

        Args:
            texts: of reports.
            progress: show a bar.
            stop: asked after each batch; True ends the pass, and what it has got is kept, as after Ctrl-C.

        Returns:
            How many were embedded.

        Raises:
            CxrError: a text is blank, the model is not at hand, or the folder cannot be written.
        """
        self._open()
        distinct = {text_key(text): text for text in texts}
        path = self.path
        if not distinct.keys() - self._rows.keys():
            return 0
        if path is None:
            return self._embed(distinct, progress, stop)
        try:
            path.mkdir(parents=True, exist_ok=True)
            # One writer: the other ranks and processes wait, then find what it has written.
            with FileLock(path / ".lock"):
                self._read()
                return self._embed(distinct, progress, stop)
        except OSError as error:
            raise CxrError(f"Text store {path} cannot be written: {error}") from error

    def lookup(self, texts: Sequence[str]) -> np.ndarray:
        """Vectors of texts [n, dim], float32; those that the store lacks are computed on the spot and kept."""
        self._open()
        keys = [text_key(text) for text in texts]
        if any(key not in self._rows for key in keys):
            self.ensure(texts, progress=False)
        if self._vectors is None:
            return np.empty((0, self.model.dim), dtype=np.float32)
        return self._vectors[[self._rows[key] for key in keys]].astype(np.float32)

    def _embed(self, distinct: dict[str, str], progress: bool, stop: Callable[[], bool] | None) -> int:
        missing = [key for key in distinct if key not in self._rows]
        before = len(self._rows)
        keys: list[str] = []
        parts: list[np.ndarray] = []
        try:
            for rows, vectors in self.model.embed_batches([distinct[key] for key in missing], progress):
                parts.append(vectors.astype(self.storage))
                keys += [missing[row] for row in rows]
                if stop is not None and stop():
                    break
                if len(keys) >= _COMMIT_ROWS:
                    done, whole, keys, parts = keys, np.concatenate(parts), [], []
                    self._append(done, whole)
        finally:
            if parts:
                vectors = np.concatenate(parts)[: len(keys)]  # Ctrl-C may come between the two
                self._append(keys[: len(vectors)], vectors)
        return len(self._rows) - before

    def _append(self, keys: list[str], vectors: np.ndarray) -> None:
        first, dim = len(self._rows), vectors.shape[1]
        rows = self._rows | {key: first + i for i, key in enumerate(keys)}
        if self.path is None:
            self._vectors = vectors if self._vectors is None else np.concatenate([self._vectors, vectors])
        else:
            if not first:
                about = {**self.model.identity(), "dim": dim, "storage": self.storage.name}
                write_text_atomically(json.dumps(about, indent=1), self.path / "model.json")
            _append_rows(self.path / "embeddings.npy", first, vectors)
            index = pd.DataFrame({"key": list(rows), "row": np.arange(len(rows))})
            with writing(self.path / "index.parquet") as part:
                index.to_parquet(part, index=False)
            self._vectors = _map_rows(self.path / "embeddings.npy", self.storage, (len(rows), dim))
        self._rows = rows

    def _open(self) -> None:
        if self._opened:
            return
        if self.folder is not None:
            self._settle_revision(self.folder)
            self._read()
        self._opened = True

    def _read(self) -> None:
        """Take the committed rows from the disk."""
        path = self.path
        if path is None or not (path / "index.parquet").is_file():
            return
        try:
            about = json.loads((path / "model.json").read_text())
            index = pd.read_parquet(path / "index.parquet")
            storage = np.dtype(about["storage"])
            self._vectors = _map_rows(path / "embeddings.npy", storage, (len(index), int(about["dim"])))
        except (OSError, ValueError, KeyError) as error:
            raise CxrError(f"Text store {path} is damaged ({error}): delete it, and it is made again.") from error
        if {name: about.get(name) for name in self.model.identity()} != self.model.identity():
            raise CxrError(f"Text store {path} was made by another model than its name says: delete it.")
        self.storage = storage  # what is there decides: one file has one precision
        self._rows = dict(zip(index["key"], index["row"].tolist(), strict=True))

    def _settle_revision(self, folder: Path) -> None:
        """Hold the model to the revision that the folder was made with.

        A moved hub branch or changed weights must not quietly cost a second pass, or mix the results of two models.
        """
        wanted = self.model.specification()
        recorded = {}
        for path in sorted(folder.glob("*/model.json")):
            about = _load_json(path)
            if {name: about.get(name) for name in wanted} == wanted:
                recorded[str(about["revision"])] = path.parent
        try:
            ours = self.model.identity()["revision"]
        except CxrError:
            if len(recorded) != 1:
                raise
            self.model = self.model.at_revision(next(iter(recorded)))
            return
        if recorded and ours not in recorded and self.model.files.revision is None:
            theirs, path = next(iter(recorded.items()))
            raise CxrError(
                f"{folder} was made with revision {theirs} of {wanted['model']}, now it is {ours}: "
                f"set the language model's revision, or delete {path} to embed anew."
            )

    def __getstate__(self) -> dict[str, Any]:
        """A copy in another process opens the files by itself; the vectors of a store in memory travel with it."""
        return {**self.__dict__, "_vectors": None, "_rows": {}, "_opened": False} if self.folder else self.__dict__


def _load_json(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text()))
    except (OSError, ValueError) as error:
        raise CxrError(f"{path} cannot be read ({error}): delete {path.parent}, it is made again.") from error


def _map_rows(path: Path, storage: np.dtype, shape: tuple[int, int]) -> np.ndarray:
    """The committed rows of an .npy file: as many as the index says, whatever the file's header does."""
    with path.open("rb") as file:
        np.lib.format.read_magic(file)
        np.lib.format.read_array_header_1_0(file)
        return np.memmap(file, storage, "r", file.tell(), shape)


def _append_rows(path: Path, first: int, vectors: np.ndarray) -> None:
    """Write rows behind the first ones of an .npy file; what lay there was never committed.

    numpy pads its header so that the first dimension can grow in place; it is kept right for `np.load`.
    """
    with path.open("r+b" if first else "wb") as file:
        header = {
            "descr": np.lib.format.dtype_to_descr(vectors.dtype),
            "fortran_order": False,
            "shape": (first + len(vectors), vectors.shape[1]),
        }
        np.lib.format.write_array_header_1_0(file, header)
        file.seek(first * vectors.strides[0], os.SEEK_CUR)
        vectors.tofile(file)
        file.flush()
        os.fsync(file.fileno())


def language_model_identity(text_store: TextStore | None) -> dict[str, Any] | None:
    """Which model read the reports and the width of its vectors, to be kept beside the weights that learn from them;
    None without reports.
    """
    return None if text_store is None else {**text_store.identity(), "dim": text_store.dim}
