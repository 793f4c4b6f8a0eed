"""What the pool of workers runs, and what a record is kept of."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol


class Unit(Protocol):
    """A cell, a pre-training, an evaluation: hashable, picklable."""

    @property
    def name(self) -> str:
        """As a person reads it."""

    @property
    def folder(self) -> Path:
        """Where all its files go."""

    @property
    def headline(self) -> str:
        """What the value of its record is called."""

    @property
    def likeness(self) -> tuple[object, ...]:
        """What decides how long it takes, from the most to the least important."""

    def identity(self) -> dict[str, Any]:
        """What the result depends on, as plain JSON values."""
