"""Every image of a manifest into the image store, on all cores, from where the last run stopped."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from scripts.data.image_store import ImageStoreWriter, StoreSettings
from scripts.data.prepared import PreparedFolder

from ..datasets.layout import Manifest
from .journal import Journal
from .pool import Failure, Limits, guarded_map
from .work import Work

WORKER = f"{__package__}.worker"
Facts = dict[str, Any]


def ingest(
    manifest: Manifest,
    out: Path,
    settings: StoreSettings,
    workers: int,
    limits: Limits,
    console: Console,
    shard: tuple[int, int] = (0, 1),
    retry: bool = False,
) -> dict[int, Facts]:
    """Decode and store the images that are not stored yet; those that the manifest excludes are not opened.

    Args:
        manifest: store row = position; the run may continue after its source and OUT have moved.
        out: output folder.
        settings: the store's settings.
        workers: number of processes.
        limits: what one file may cost.
        console: where the progress bar and the reports of bad files go.
        shard: (i, n): take the i-th part of n of the work, and leave the store open for the others.
        retry: decode the excluded ones again.

    Returns:
        Facts of the rows done so far (see `bundle.prepare.worker.Ingest`); an excluded row has an `exclude_reason`.

    Raises:
        CxrError: the output folder was begun from something else.
    """
    images = manifest.table["image"].tolist()
    index, shards = shard
    made_from = _made_from(images, manifest.source, settings)
    with Journal(out, made_from, f"{index}-of-{shards}" if shards > 1 else "all") as journal:
        for row, reason in _excluded(manifest.table):
            if row not in journal.rows:
                journal.add(row, {"exclude_reason": reason})
        work = Work(images, index, shards)
        todo = [row for row in work.rows if row not in journal.rows or (retry and journal.rows[row]["exclude_reason"])]
        if todo:
            store = ImageStoreWriter(out, len(images), settings)
            make = partial(_make_worker, out, len(images), settings)
            with _progress(console) as progress:
                bar = progress.add_task("images", total=len(work.rows), completed=len(work.rows) - len(todo))
                for (row, *_), result in guarded_map(make, work.tasks(todo), workers, limits, preload=WORKER):
                    facts = {"exclude_reason": result.reason} if isinstance(result, Failure) else result
                    if facts["exclude_reason"]:
                        progress.console.print(f"row {row}: {facts['exclude_reason']}", markup=False, highlight=False)
                    journal.add(row, facts)
                    progress.advance(bar)
            for row, reason in work.lost.items():
                journal.add(row, {"exclude_reason": reason})
            store.flush()
        if shards == 1 and not PreparedFolder(out).images.exists():
            ImageStoreWriter(out, len(images), settings).finish()
        return journal.rows


def _excluded(table: pd.DataFrame) -> list[tuple[int, str]]:
    """Rows that the data set's layout knows to be of no use, with the reason."""
    given = table["exclude_reason"] if "exclude_reason" in table else pd.Series("", table.index)
    return [(int(row), reason) for row, reason in given[given != ""].items()]


def reasons(facts: dict[int, Facts]) -> dict[str, int]:
    """Number of excluded rows by kind of reason (what stands before the colon), the most frequent first."""
    kinds = (entry["exclude_reason"].split(":")[0] for entry in facts.values() if entry["exclude_reason"])
    return dict(Counter(kinds).most_common())


def _make_worker(out: Path, count: int, settings: StoreSettings) -> Callable[[Any], Facts]:
    # Only the workers decode, so only they (their server process, once) pay for MONAI's import.
    from .worker import Ingest

    return Ingest(out, count, settings)


def _made_from(images: Sequence[str], source: Path, settings: StoreSettings) -> dict[str, Any]:
    names = "\n".join(os.path.relpath(image, source) for image in images)
    return {
        "images": len(images),
        "paths": hashlib.blake2b(names.encode(), digest_size=16).hexdigest(),
        **asdict(settings),
    }


def _progress(console: Console) -> Progress:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=console)
