"""`prepare`: an archive of radiographs and reports into the stores that training reads."""

from __future__ import annotations

from .command import add_arguments, main

__all__ = ["add_arguments", "main"]
