"""`python -m bundle prepare list`: the public data sets that go in by name."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..datasets import LAYOUTS, Facts


def print_list(console: Console) -> None:
    """Each set: what it is, the files that it wants, its size and terms, and where to get it."""
    table = Table(box=None, padding=(0, 2, 1, 0), show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, layout in LAYOUTS.items():
        table.add_row(name, Text(_lines(layout.facts) if layout.facts else layout.help))
    console.print(table)
    console.print("python -m bundle prepare NAME SOURCE OUT; SOURCE is the folder as downloaded, archives unopened.")


def _lines(facts: Facts) -> str:
    counts = [
        f"{version}: {'?' if c.images is None else f'{c.images:,}'} images of "
        f"{'?' if c.patients is None else f'{c.patients:,}'} patients"
        for version, c in facts.expected.items()
    ]
    lines = [
        f"{facts.title}, {facts.size}; {'; '.join(counts) or 'of any size'}",
        f"files    {', '.join(facts.files)}",
        f"licence  {facts.licence}",
        f"from     {facts.url}",
    ]
    return "\n".join(lines + ([f"overlap  {facts.overlap}"] if facts.overlap else []))
