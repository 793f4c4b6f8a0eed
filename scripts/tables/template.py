"""A page from a template in a file (`PAGE.html.jinja`, `PAGE.md.jinja`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined


def fill_template(file: Path, filters: Mapping[str, Callable[[Any], str]] | None = None, **values: Any) -> str:
    """The template's text with its values; every text in HTML is escaped, and a value that is not given is an error.

    Args:
        file: the template.
        filters: what it calls as `{{ value | name }}`.
        values: by the names that it has for them.
    """
    environment = Environment(
        autoescape=".html." in file.name,
        keep_trailing_newline=True,
        loader=FileSystemLoader(file.parent),
        lstrip_blocks=True,
        trim_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters |= filters or {}
    return environment.get_template(file.name).render(values)
