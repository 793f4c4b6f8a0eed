"""The bundle's own code; `load` gives a trained network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .trained import Model, load

__all__ = ["Model", "load"]


def __getattr__(name: str) -> Any:
    """`load` and `Model`, imported when they are asked for: torch and MONAI take seconds, and reading a radiograph does
    without them.
    """
    if name in __all__:
        from . import trained

        return getattr(trained, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
