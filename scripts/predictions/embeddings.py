"""Embeddings of an inference run as one Parquet file, a row an image, unreadable images included."""

from __future__ import annotations

import json
import logging
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

from ..atomic import writing
from ..errors import CxrError
from ..metrics.collect import collect_values
from ..output_folder import check_folder
from .identity import ImageNames, model_identity

logger = logging.getLogger(__name__)


class EmbeddingWriter:
    """Handler for an evaluator: writes `image_id, image, embedding, error` of each image when the run completes.

    Images are named as `ImageNames` says. A batch may carry `error`: a text that says why an image could not be read;
    its embedding is null then. Rows are kept in memory until the end, 8 KB an image for 2,048 numbers.

    Args:
        path: the Parquet file.
        checkpoint: weights that the network was loaded from; their SHA-256 goes into the file's metadata.
        identity: whatever else names the model (network, method, version); JSON in the file's metadata under `model`.
        root: folder to which the column `image` is relative.
        key: key of `engine.state.output["pred"]`; None = `pred` is the embedding.
        file_names: False leaves the column `image` empty, and hides names in ids; see `ImageNames`.
    """

    def __init__(
        self,
        path: str | Path,
        checkpoint: str | Path | None = None,
        identity: Mapping[str, Any] | None = None,
        root: str | Path | None = None,
        key: str | None = None,
        file_names: bool = True,
    ) -> None:
        self.path = Path(path)
        self.checkpoint = None if checkpoint is None else Path(checkpoint)
        self.identity = dict(identity or {})
        self.keys = ("pred",) if key is None else ("pred", key)
        self.names = ImageNames(root, file_names)
        self.rows: list[dict[str, Any]] = []

    def attach(self, engine: Engine) -> None:
        """Registers on the evaluator."""
        engine.add_event_handler(Events.STARTED, self.start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.add)
        engine.add_event_handler(Events.COMPLETED, self.write)

    def start(self, engine: Engine) -> None:
        """Forgets an earlier run, and looks whether this one's results can be written."""
        self.rows = []
        check_folder(self.path.parent, "output_dir")
        self.names.start()

    def add(self, engine: Engine) -> None:
        """Keeps the rows of one batch."""
        embedding = collect_values(engine.state.output, *self.keys)
        if embedding is None or embedding.ndim != 2:
            shape = "nothing" if embedding is None else f"shape {tuple(embedding.shape)}"
            raise CxrError(f"EmbeddingWriter needs one vector an image under {'.'.join(self.keys)}, got {shape}.")
        batch, count = engine.state.batch, len(embedding)
        errors = collect_values(batch, "error") or [""] * count
        numbers = embedding.float().numpy()
        for i, name in enumerate(self.names.of(batch, count)):
            error = str(errors[i] or "") or ("" if np.isfinite(numbers[i]).all() else "the embedding is not finite")
            self.rows.append(
                {
                    "image_id": name.image_id,
                    "image": name.file,
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
        model = model_identity({**self.identity, "dim": dim}, self.checkpoint)
        return table.replace_schema_metadata({"model": json.dumps(model)})


def read_embeddings(path: str | Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Rows of an embeddings file (`embedding` is None where there is an `error`) and the model's identity."""
    table = pq.read_table(path)
    return table.to_pandas(), json.loads((table.schema.metadata or {}).get(b"model", b"{}"))
