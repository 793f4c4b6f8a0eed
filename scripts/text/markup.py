"""HTML and Markdown out of a report."""

from __future__ import annotations

import html
import re

from .headings import heading_of

_BREAK = re.compile(r"<\s*/?\s*(?:br|p|div|li|ul|ol|h[1-6]|tr)\b[^>]*>", re.IGNORECASE)
_BOLD = re.compile(
    r"(?:(?<!\[)\*\*(?!\])|<\s*(?:b|strong|u)\s*>)[ \t]*(?P<name>[A-Za-z][^*\n<>:]{2,50}?)[ \t]*:?[ \t]*"
    r"(?:\*\*|<\s*/\s*(?:b|strong|u)\s*>)[ \t]*:?",
    re.IGNORECASE,
)
_STYLE = re.compile(r"</?\s*(?:b|strong|i|em|u|span|font)\b[^>]*>|(?<!\[)\*\*(?!\])|^[ \t]*#{1,6}[ \t]+", re.I | re.M)


def plain(report: str) -> str:
    """Without markup; a heading in bold gets a line of its own and a colon."""
    text = report.replace("\r\n", "\n").replace("\r", "\n")
    if "&" in text:
        text = html.unescape(text)
    if "<" in text or "**" in text or "#" in text:
        text = _BREAK.sub("\n", text)
        text = _BOLD.sub(lambda m: f"\n{m['name']}: " if heading_of(m["name"], fuzzy=True) else m[0], text)
        text = _STYLE.sub("", text)
    return text
