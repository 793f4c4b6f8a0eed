"""One HTML file that shows a run: no script, no external resource, pictures inside."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

from ..atomic import write_text_atomically
from .scores import Score, ScoreRow, short_number

STYLE = """
:root { color-scheme: light dark; --ink: #1b1b1b; --quiet: #5c5c5c; --paper: #fff; --line: #d9d9d9; --tint: #f3f5f7; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8e8e8; --quiet: #a6a6a6; --paper: #16181a; --line: #3a3e42; --tint: #212427; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 62rem; padding: 1rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: break-word; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: .5rem 0 1rem; }
h2 { font-size: 1.2rem; margin: 2rem 0 .5rem; border-bottom: 1px solid var(--line); }
p { margin: .4rem 0; max-width: 46rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .8rem .3rem .2rem; text-align: left; vertical-align: top;
  border-bottom: 1px solid var(--line); }
td.number, th.number { text-align: right; padding-left: .8rem; }
thead th { color: var(--quiet); font-weight: 600; }
tbody th { font-weight: 400; }
.range, .note { color: var(--quiet); }
.range { white-space: nowrap; }
td b ~ .note { display: block; font-size: .9em; }
tbody th { min-width: 8rem; overflow-wrap: anywhere; }
tr.all { background: var(--tint); } tr.all th { font-weight: 600; }
.facts td { overflow-wrap: anywhere; }
figure { margin: 1.2rem 0; }
/* A picture keeps a legible width on a phone and is scrolled sideways; its paper stays white in the dark. */
figure div { overflow-x: auto; background: #fff; border-radius: .3rem; }
figure img { display: block; width: 100%; min-width: 38rem; max-width: 56rem; height: auto; margin: 0 auto; }
figcaption { color: var(--quiet); margin-top: .3rem; max-width: 46rem; }
@media (max-width: 40rem) { body { padding: .7rem; } .range { display: block; }
  table { font-size: .875rem; } th, td { padding-right: .3rem; } td.number, th.number { padding-left: .3rem; } }
@media print {
  :root { color-scheme: light; --ink: #000; --quiet: #444; --paper: #fff; --line: #bbb; --tint: #f3f3f3; }
  body { max-width: none; padding: 0; font-size: 10pt; }
  h2 { break-after: avoid; } tr, figure, p { break-inside: avoid; }
  figure div, .wide { overflow: visible; }
  figure img { min-width: 0; max-width: 100%; width: auto; max-height: 23cm; }
}
"""


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
    """Writes the page; a section that has nothing but its heading is left out.

    Args:
        path: the file.
        title: of the page.
        sections: from top to bottom.
    """
    filled = [s for s in sections if s.paragraphs or s.rows or s.facts or s.pictures]
    write_text_atomically(
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>{escape(title)}</h1>\n"
        f"{''.join(map(_section, filled))}</body>\n</html>\n",
        Path(path),
    )
    return Path(path)


def _section(section: Section) -> str:
    parts = [f"<p>{escape(text)}</p>\n" for text in section.paragraphs]
    parts += [_scores(section.rows)] if section.rows else []
    parts += [_facts(section.facts)] if section.facts else []
    parts += map(_picture, section.pictures)
    return f"<section>\n<h2>{escape(section.heading)}</h2>\n{''.join(parts)}</section>\n"


def _scores(rows: Sequence[ScoreRow]) -> str:
    methods = list(dict.fromkeys(method for row in rows for method in row.scores))
    head = "".join(f'<th class="number" scope="col">{escape(name)}</th>' for name in ("trivial", *methods))
    body = []
    for row in rows:
        cells = "".join(_cell(row.scores.get(method)) for method in methods)
        trivial = "–" if row.trivial is None else short_number(row.trivial)
        kind = ' class="all"' if "macro" in row.name else ""
        body.append(f'<tr{kind}><th scope="row">{escape(row.name)}</th><td class="number">{trivial}</td>{cells}</tr>\n')
    return (
        f'<div class="wide"><table>\n<thead><tr><th scope="col">score</th>{head}</tr></thead>\n'
        f"<tbody>\n{''.join(body)}</tbody></table></div>\n"
    )


def _cell(score: Score | None) -> str:
    if score is None:
        return '<td class="number">–</td>'
    value, interval, note = score.texts()
    if not value:
        return f'<td class="number"><span class="note">not scored: {escape(note)}</span></td>'
    more = f' <span class="range">{interval}</span>' if interval else ""
    more += f' <span class="note">{escape(note)}</span>' if note else ""
    return f'<td class="number"><b>{value}</b>{more}</td>'


def _facts(facts: Mapping[str, Any]) -> str:
    rows = "".join(
        f'<tr><th scope="row">{escape(str(name))}</th><td>{escape(_text(value))}</td></tr>\n'
        for name, value in facts.items()
    )
    return f'<div class="wide"><table class="facts"><tbody>\n{rows}</tbody></table></div>\n'


def _text(value: Any) -> str:
    if value is None or value == "":
        return "–"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "–"
    return (
        "; ".join(f"{key}: {part}" for key, part in value.items()) or "–" if isinstance(value, Mapping) else str(value)
    )


def _picture(picture: Picture) -> str:
    content = base64.b64encode(picture.path.read_bytes()).decode()
    return (
        f'<figure><div><img alt="{escape(picture.caption)}" src="data:image/png;base64,{content}"></div>\n'
        f"<figcaption>{escape(picture.caption)}</figcaption></figure>\n"
    )
