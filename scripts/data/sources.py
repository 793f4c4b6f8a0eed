"""One switch for where the data lies: a folder made by prepare (the fast road), or raw files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from ..errors import CxrError
from ..text.language_model import FrozenLanguageModel
from .items import Text, finding_names, keep_rows, make_items, study_table
from .prepared import PreparedFolder
from .raw_files import raw_columns, raw_table
from .studies import read_studies


def load_items(
    source: str | Path,
    split: str | Sequence[str] | None = None,
    view: str | Sequence[str] | None = None,
    labels: Sequence[str] | None = None,
    text: Text = True,
    fraction: int = 100,
) -> list[dict[str, Any]]:
    """MONAI items of `source`.

    Args:
        source: a folder made by `python -m bundle prepare`; or raw files: a CSV or Parquet file with `image` and
            `report`, or (with `text` False or "optional") a folder of DICOM, PNG or JPEG files.
        split, view, labels, text, fraction: see `study_items`.

    Raises:
        CxrError: there is no such source, or it holds nothing that fits.
    """
    table, where = load_table(source, folder=text is not True)
    return make_items(keep_rows(table, split, view, fraction, where), labels, text, where)


def load_table(source: str | Path, folder: bool = False) -> tuple[pd.DataFrame, str]:
    """Study table of a prepared folder, or of a raw CSV or Parquet file; and how messages call it.

    Args:
        source: see `load_items`.
        folder: a folder of image files will do.

    Raises:
        CxrError: there is no such source.
    """
    source = Path(source)
    if is_prepared(source):
        return study_table(source)
    if source.is_file() or (source.is_dir() and folder):
        return raw_table(source)
    raise CxrError(
        f"dataset_dir: {source} is neither a folder made by prepare nor a CSV or Parquet file of images. "
        "Run: python -m bundle prepare table YOUR.csv OUT --help, or `make train` for the demo data."
    )


def label_names(source: str | Path) -> list[str]:
    """Findings of a prepared folder, or of a raw CSV or Parquet file: its columns `label_<finding>`."""
    columns = read_studies(source).columns if is_prepared(source) else raw_columns(source)
    return finding_names(columns)


def is_prepared(source: str | Path) -> bool:
    """Whether `source` is a folder made by prepare."""
    return PreparedFolder.at(source) is not None


def language_model_of(
    source: str | Path,
    model: str | None = None,
    revision: str | None = None,
    pooling: str | None = None,
    device: str | torch.device | None = None,
) -> FrozenLanguageModel:
    """The language model that read the reports of `source`, so that it is named once, to prepare.

    Args:
        source: see `load_items`.
        model, pooling: None takes what prepare was given; raw files get `minilm` and mean pooling. Another model embeds
            the reports anew, into a store of its own.
        revision: of a hub id.
        device: where it runs.
    """
    folder = PreparedFolder.at(source)
    prepared = (folder.read_record().get("language_model") if folder else None) or {}
    model = model or prepared.get("given", "minilm")
    pooling = pooling or prepared.get("pooling", "mean")
    return FrozenLanguageModel(model, revision, pooling, device=device)  # type: ignore[arg-type]


def text_folder(source: str | Path) -> str | None:
    """Folder of the text store that belongs to a prepared folder; None keeps raw files' embeddings in memory."""
    folder = PreparedFolder.at(source)
    return str(folder.text) if folder else None


def features_folder(source: str | Path) -> str | None:
    """Folder of the images' features by frozen encoders, beside the text store; None keeps those of raw files in
    memory.
    """
    folder = PreparedFolder.at(source)
    return str(folder.features) if folder else None
