"""`python -m benchmarks`: each speed that the project claims, as a ratio against a named alternative in one run."""

from __future__ import annotations

import argparse
import importlib
import json
import logging
import os
import platform
import sys
import warnings
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.measure import Row

PARTS = ("ingest", "store", "text", "step", "adaptor", "tasks")


def main(arguments: list[str] | None = None) -> int:
    """Runs the benchmarks and prints the table; exit status 1 when a ratio is under its bar."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"which to run, of {', '.join(PARTS)} (default: all)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the rows, with the machine, as JSON")
    args = parser.parse_args(arguments)
    unknown = set(args.parts) - set(PARTS)
    if unknown:
        print(f"No such benchmark: {', '.join(sorted(unknown))}. There are {', '.join(PARTS)}.")
        return 2
    # What MONAI says of the stock chain's readers, once a reader.
    warnings.filterwarnings("ignore", module="monai.data.image_reader")
    logging.getLogger("monai.data").setLevel(logging.ERROR)
    rows: list[Row] = []
    for part in args.parts or PARTS:
        print(f"{part} …", flush=True)
        rows += importlib.import_module(f"benchmarks.{part}").run()
    print_rows(rows)
    if args.json:
        result = {"machine": machine(), "rows": [{**asdict(row), "held": row.held} for row in rows]}
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(result, indent=1), encoding="utf-8")
    return 0 if all(row.held for row in rows) else 1


def print_rows(rows: list[Row]) -> None:
    """The table of ratios."""
    table = Table(title="CPU time, one thread (cuda: wall time), medians; ratio = theirs / ours", title_justify="left")
    for column in ("what", "against"):
        table.add_column(column)
    for column in ("ratio", "bar", "ours", "theirs", "n"):
        table.add_column(column, justify="right")
    for row in rows:
        bar = "–" if row.bar is None else f"≥ {row.bar:.3g}{'' if row.held else '  MISSED'}"
        cells = (f"{row.ratio:.3g} ×", bar, f"{row.ours:.3g} {row.unit}", f"{row.theirs:.3g} {row.unit}", str(row.n))
        table.add_row(row.what, row.against, *cells, style=None if row.held else "red")
    console = Console()
    if not console.is_terminal:
        console.width = max(console.width, 150)
    console.print(table)


def machine() -> dict[str, str | int | None]:
    """What the figures were measured on."""
    import monai
    import torch

    return {
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "capability": torch.backends.cpu.get_cpu_capability(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "monai": monai.__version__,
    }


if __name__ == "__main__":
    sys.exit(main())
