"""`python -m bundle sweep DATA OUT`: how much a pre-trained encoder saves in labels."""

from __future__ import annotations

from .command import add_arguments, main

__all__ = ["add_arguments", "main"]
