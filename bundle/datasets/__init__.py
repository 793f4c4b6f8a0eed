"""Dataset layouts, one file each. A new one: a file with `add_arguments` and `read`, and a line in LAYOUTS."""

from __future__ import annotations

from . import demo, table
from .layout import Layout, Manifest

LAYOUTS: dict[str, Layout] = {
    "demo": Layout("the folder made by `python -m bundle demo`", demo.add_arguments, demo.read),
    "table": Layout("any CSV or Parquet file, columns mapped on the command line", table.add_arguments, table.read),
}

__all__ = ["LAYOUTS", "Layout", "Manifest"]
