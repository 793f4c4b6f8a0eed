"""Pre-training methods beside each other, with one budget."""

from __future__ import annotations

from .command import add_arguments, main

__all__ = ["add_arguments", "main"]
