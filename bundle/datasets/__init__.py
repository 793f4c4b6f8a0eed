"""Dataset layouts, one file each. A new one: a file with `add_arguments` and `read`, and a line here."""

from __future__ import annotations

from types import ModuleType

from . import demo, nih, table
from .facts import Facts, counts_note
from .layout import Layout, Manifest

PUBLIC: tuple[ModuleType, ...] = (nih,)
"""Modules of public data sets: each has `FACTS`, `add_arguments` and `read`."""

LAYOUTS: dict[str, Layout] = {
    "demo": Layout("the folder made by `python -m bundle demo`", demo.add_arguments, demo.read),
    "table": Layout("any CSV or Parquet file, columns mapped on the command line", table.add_arguments, table.read),
    **{
        facts.name: Layout(f"{facts.title}, as downloaded", module.add_arguments, module.read, facts)
        for module in PUBLIC
        for facts in [module.FACTS]
    },
}

__all__ = ["LAYOUTS", "Facts", "Layout", "Manifest", "counts_note"]
