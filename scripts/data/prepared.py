"""The folder that `prepare` makes: the one place that knows what lies where in it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import CxrError


@dataclass(frozen=True)
class PreparedFolder:
    """Its files, there or not.

    Attributes:
        path: of the folder, OUT.
    """

    path: Path

    @classmethod
    def at(cls, source: str | Path) -> PreparedFolder | None:
        """The folder, where `source` is one that `prepare` has made to its end; else None."""
        folder = cls(Path(source))
        return folder if folder.studies.is_file() and folder.record.is_file() else None

    @property
    def studies(self) -> Path:
        """The study table."""
        return self.path / "studies.parquet"

    @property
    def record(self) -> Path:
        """What it was made from, and by which language model."""
        return self.path / "prepare.json"

    @property
    def images(self) -> Path:
        """The image store; its settings lie beside it, `images.json`."""
        return self.path / "images.npy"

    @property
    def text(self) -> Path:
        """The text stores of all language models."""
        return self.path / "text"

    @property
    def features(self) -> Path:
        """The images' features by frozen encoders."""
        return self.path / "features"

    @property
    def audit(self) -> Path:
        """The audit; its picture lies beside it, `audit.png`."""
        return self.path / "audit.json"

    def read_record(self) -> dict[str, Any]:
        """Content of `record`.

        Raises:
            CxrError: it is missing or damaged.
        """
        try:
            content = json.loads(self.record.read_text(encoding="utf-8"))
            if not isinstance(content, dict):
                raise ValueError(f"it holds a {type(content).__name__}")
        except (OSError, ValueError) as error:
            raise CxrError(f"{self.record} is missing or damaged ({error}). Run prepare again.") from error
        return content
