"""A trained network from Python: what `load` gives embeds, compares, points and predicts."""

from __future__ import annotations

from .model import Model, load

__all__ = ["Model", "load"]
