"""What a dataset layout gives to prepare."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from .facts import Facts


@dataclass
class Manifest:
    """Rows of a data set in the study table's columns, ids as they stand in the source; nothing has been opened yet.

    Args:
        table: columns `image` (absolute path), `image_id, patient_id, study_id`, optionally `split` and the optional
            columns of the study table; `exclude_reason` of an image that is known to be none of use, which is then not
            opened. Index 0..n-1 = row of the source, so that a message about a row can be looked up.
        source: folder that the paths start from.
        notes: what a person should know about the reading (such as boxes of unknown images), one line each.
    """

    table: pd.DataFrame
    source: Path
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Layout:
    """A way in which data sets lie on disk: its command-line arguments, and a function from these to a manifest; of a
    public set its facts.
    """

    help: str
    add_arguments: Callable[[ArgumentParser], None]
    read: Callable[[Namespace], Manifest]
    facts: Facts | None = None
