"""`python -m bundle pack`: a trained network as a bundle of its own, which needs nothing of this project."""

from __future__ import annotations

from .command import PACKS, add_arguments, main, pack

__all__ = ["PACKS", "add_arguments", "main", "pack"]
