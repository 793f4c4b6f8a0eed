"""Writes the result tables of the pages from results/: `python docs/tables.py`, or `--check` to compare alone.

A page has a table between `<!-- results/NAME.csv -->` and `<!-- end -->`. Of a column X of the file, X low and X high
stand in brackets behind it, then X p and X note.
"""

from __future__ import annotations

import argparse
import csv
import re
import sys
from collections.abc import Mapping
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
COMPANIONS = (" low", " high", " p", " note")
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)")
BLOCK = re.compile(r"(<!-- (results/[\w.]+\.csv) -->\n).*?(<!-- end -->)", re.DOTALL)


def number(text: str) -> str:
    """As it is read on a page: a true minus, thousands parted; what is no number stays."""
    if not NUMBER.fullmatch(text):
        return text
    whole, point, digits = text.partition(".")
    parted = f"{int(whole):,}" if len(whole) > 3 and whole.isdigit() else whole
    return (parted + point + digits).replace("-", "−")


def cell(row: Mapping[str, str], name: str) -> str:
    """One value with what belongs to it."""
    low, high, p, note = (number(row.get(name + ending) or "") for ending in COMPANIONS)
    text = number(row[name]) or "–"
    text += f" [{low}, {high}]" if low else ""
    text += f", p = {p}" if p else ""
    return text + (f", {note}" if note else "")


def table(path: Path) -> str:
    """A CSV file as a table of Markdown; columns with numbers to the right."""
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file, strict=True)
        rows = list(reader)
    header = list(reader.fieldnames or ())
    names = [name for name in header if not any(name == other + end for other in header for end in COMPANIONS)]
    numeric = {name for name in names[1:] if any(NUMBER.fullmatch(row[name]) for row in rows)}
    lines = [names, ["---:" if name in numeric else "---" for name in names]]
    lines += [[row[names[0]], *(cell(row, name) for name in names[1:])] for row in rows]
    return "".join("| " + " | ".join(text.replace("|", r"\|") for text in line) + " |\n" for line in lines)


def filled(page: str, project: Path) -> str:
    """A page's text with its tables as the files have them."""
    return BLOCK.sub(lambda block: block[1] + "\n" + table(project / block[2]) + "\n" + block[3], page)


def main(project: Path = PROJECT) -> int:
    """Writes the pages, or says which ones differ from the files."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; status 1 where a page differs")
    check = parser.parse_args().check
    changed = 0
    for page in (project / "README.md", *sorted((project / "docs").glob("*.md"))):
        text = page.read_text(encoding="utf-8")
        if (new := filled(text, project)) == text:
            continue
        changed += 1
        if check:
            print(f"{page.relative_to(project)} differs from results/: run python docs/tables.py.", file=sys.stderr)
        else:
            page.write_text(new, encoding="utf-8", newline="\n")
    return 1 if check and changed else 0


if __name__ == "__main__":
    sys.exit(main())
