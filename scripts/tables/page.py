"""One HTML file that shows a run: no script, no external resource, pictures inside."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..atomic import write_text_atomically
from .scores import ScoreRow
from .template import fill_template

TEMPLATE = Path(__file__).with_suffix(".html.jinja")


@dataclass(frozen=True)
class Picture:
    """A PNG file and what it shows."""

    path: Path
    caption: str = ""

    @property
    def content(self) -> str:
        """The file in base64."""
        return base64.b64encode(self.path.read_bytes()).decode()


@dataclass(frozen=True)
class Section:
    """A heading with, in this order: paragraphs, a table of scores, facts (name: value), pictures."""

    heading: str
    paragraphs: Sequence[str] = ()
    rows: Sequence[ScoreRow] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    pictures: Sequence[Picture] = ()

    @property
    def methods(self) -> list[str]:
        """Columns of the scores."""
        return list(dict.fromkeys(method for row in self.rows for method in row.scores))


def write_html(path: str | Path, title: str, sections: Sequence[Section]) -> Path:
    """Writes the page; a section that has nothing but its heading is left out.

    Args:
        path: the file.
        title: of the page.
        sections: from top to bottom.
    """
    filled = [s for s in sections if s.paragraphs or s.rows or s.facts or s.pictures]
    write_text_atomically(fill_template(TEMPLATE, {"fact": _text}, title=title, sections=filled), Path(path))
    return Path(path)


def _text(value: Any) -> str:
    if value is None or value == "":
        return "–"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "–"
    return (
        "; ".join(f"{key}: {part}" for key, part in value.items()) or "–" if isinstance(value, Mapping) else str(value)
    )
