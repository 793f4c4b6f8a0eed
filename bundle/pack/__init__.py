"""`python -m bundle pack`: a trained network as a bundle of its own, which needs nothing of this project."""

from __future__ import annotations

from .command import add_arguments, main, pack
from .kinds import KINDS

__all__ = ["KINDS", "add_arguments", "main", "pack"]
