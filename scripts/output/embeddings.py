"""Embeddings of an inference run as one Parquet file, a row an image, unreadable images included."""

from __future__ import annotations

import hashlib
import json
import logging
import secrets
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ignite.distributed as idist
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from ignite.engine import Engine, Events
from monai.data import MetaTensor

from scripts.atomic import writing
from scripts.errors import CxrError
from scripts.metrics.collect import collect_values

logger = logging.getLogger(__name__)


class EmbeddingWriter:
    """Handler for an evaluator: writes `image_id, image, embedding, error` of each image when the run completes.

    A batch may carry `image_id` (else a hash of the column `image`), `source` (else the name that `LoadImaged` left in
    the image's meta) and `error`: a text that says why an image could not be read; its embedding is null then.
    Rows are kept in memory until the end, 8 KB an image for 2,048 numbers.

    Args:
        path: the Parquet file.
        checkpoint: weights that the network was loaded from; their SHA-256 goes into the file's metadata.
        identity: whatever else names the model (network, method, version); JSON in the file's metadata under `model`.
        root: folder to which the column `image` (the source) is relative, so that ids do not depend on the machine.
        key: key of `engine.state.output["pred"]`; None = `pred` is the embedding.
        names: False leaves the column `image` empty, for archives whose file names identify patients. An `image_id`
            that is a hash of the name, which whoever guesses names could find again, is then hashed with a random key
            that is kept nowhere: such ids tell the images of one file apart, and differ from file to file.
    """

    def __init__(
        self,
        path: str | Path,
        checkpoint: str | Path | None = None,
        identity: Mapping[str, Any] | None = None,
        root: str | Path | None = None,
        key: str | None = None,
        names: bool = True,
    ) -> None:
        self.path, self.root = Path(path), None if root is None else Path(root)
        self.checkpoint = None if checkpoint is None else Path(checkpoint)
        self.identity = dict(identity or {})
        self.keys = ("pred",) if key is None else ("pred", key)
        self.names = names
        self.rows: list[dict[str, Any]] = []

    def attach(self, engine: Engine) -> None:
        """Registers on the evaluator."""
        engine.add_event_handler(Events.STARTED, self.start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.add)
        engine.add_event_handler(Events.COMPLETED, self.write)

    def start(self, engine: Engine) -> None:
        """Forgets an earlier run."""
        self.rows = []

    def add(self, engine: Engine) -> None:
        """Keeps the rows of one batch."""
        embedding = collect_values(engine.state.output, *self.keys)
        if embedding is None or embedding.ndim != 2:
            shape = "nothing" if embedding is None else f"shape {tuple(embedding.shape)}"
            raise CxrError(f"EmbeddingWriter needs one vector an image under {'.'.join(self.keys)}, got {shape}.")
        batch, count = engine.state.batch, len(embedding)
        sources = collect_values(batch, "source") or _file_names(batch)
        ids = collect_values(batch, "image_id") or [None] * count
        if sources is None and ids[0] is None:
            raise CxrError("EmbeddingWriter cannot tell the images apart: give the items an image_id or a source.")
        errors = collect_values(batch, "error") or [""] * count
        numbers = embedding.float().numpy()
        for i in range(count):
            error = str(errors[i] or "") or ("" if np.isfinite(numbers[i]).all() else "the embedding is not finite")
            name = None if sources is None else self._relative(str(sources[i]))
            plain = ids[i] is None or (sources is not None and _is_hash_of(str(sources[i]), str(ids[i])))
            self.rows.append(
                {
                    "image_id": str(ids[i]) if ids[i] is not None else _hash(str(name)),
                    "image": name if self.names else None,
                    "plain_hash": plain,
                    "embedding": None if error else numbers[i],
                    "error": error or None,
                }
            )

    def write(self, engine: Engine) -> None:
        """Writes the file, of all ranks, and logs the counts by reason.

        Raises:
            CxrError: there was no image, or none could be embedded (the file then holds the reasons).
        """
        rows = (
            [row for rank in idist.all_gather(self.rows) for row in rank] if idist.get_world_size() > 1 else self.rows
        )
        if idist.get_rank() != 0:
            return
        if idist.get_world_size() > 1:  # a distributed sampler repeats images to give every rank the same number
            rows = list({row["image_id"]: row for row in rows}.values())
        if not rows:
            raise CxrError(f"There was no image to embed; {self.path} is not written.")
        if not self.names:
            key = secrets.token_bytes(32)
            rows = [row | {"image_id": _hash(row["image_id"], key)} if row["plain_hash"] else row for row in rows]
        reasons = Counter(row["error"] for row in rows if row["error"])
        done = [row for row in rows if not row["error"]]
        with writing(self.path) as part:
            pq.write_table(self._table(rows, len(done[0]["embedding"]) if done else None), part)
        logger.info("%d embeddings in %s", len(done), self.path)
        for reason, count in reasons.most_common():
            logger.warning("%d images without embedding: %s", count, reason)
        if not done:
            raise CxrError(
                f"None of the {len(rows)} images could be embedded; {self.path} says why in its column error."
            )

    def _table(self, rows: list[dict[str, Any]], dim: int | None) -> pa.Table:
        vector = pa.list_(pa.float32())  # of any length: Parquet cannot read a null of a fixed-length list back
        fields = [("image_id", pa.string()), ("image", pa.string()), ("embedding", vector), ("error", pa.string())]
        table = pa.Table.from_pylist(rows, schema=pa.schema(fields))
        model = {**self.identity, "dim": dim}
        if self.checkpoint is not None:
            with self.checkpoint.open("rb") as file:
                model |= {"checkpoint": self.checkpoint.name, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}
        return table.replace_schema_metadata({"model": json.dumps(model)})

    def _relative(self, name: str) -> str:
        path = Path(name)
        return path.relative_to(self.root).as_posix() if self.root and path.is_relative_to(self.root) else name


def read_embeddings(path: str | Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Rows of an embeddings file (`embedding` is None where there is an `error`) and the model's identity."""
    table = pq.read_table(path)
    return table.to_pandas(), json.loads((table.schema.metadata or {}).get(b"model", b"{}"))


def _file_names(batch: Any) -> list[str] | None:
    """Where `LoadImaged` read each image, from the meta of the batch's image."""
    if isinstance(batch, list):
        found = [_file_names(item) for item in batch]
        return None if any(name is None for name in found) else [name for names in found if names for name in names]
    image = batch.get("image")
    name = image.meta.get("filename_or_obj") if isinstance(image, MetaTensor) else None
    return None if name is None else [str(name)] if isinstance(name, str | Path) else list(name)


def _hash(name: str, key: bytes = b"") -> str:
    return hashlib.blake2b(name.encode(), digest_size=16, key=key).hexdigest()


def _is_hash_of(name: str, image_id: str) -> bool:
    """Whether an id is the plain hash, of any length, of a file's name: `raw_items` gives such ids."""
    size = len(image_id) // 2
    return 0 < size <= 64 and hashlib.blake2b(name.encode(), digest_size=size).hexdigest() == image_id
