"""Demo data: phantoms with reports, labels, masks and boxes; a test bed, never evidence about patients."""

from __future__ import annotations

from .generate import add_arguments, main, make_demo

__all__ = ["add_arguments", "main", "make_demo"]
