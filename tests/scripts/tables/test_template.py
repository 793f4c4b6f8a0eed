"""Templates in files: what is escaped, what is an error, what stays to the byte."""

from __future__ import annotations

from pathlib import Path

import pytest
from jinja2 import UndefinedError

from scripts.tables.template import fill_template


@pytest.mark.parametrize(
    ("name", "filled"),
    [("page.html.jinja", "<b>a &lt; b &amp; &#34;c&#34;</b>\n"), ("page.md.jinja", '<b>a < b & "c"</b>\n')],
)
def test_texts_are_escaped_in_html_alone(tmp_path: Path, name: str, filled: str) -> None:
    (tmp_path / name).write_text("{% if text %}\n<b>{{ text }}</b>\n{% endif %}\n")
    assert fill_template(tmp_path / name, text='a < b & "c"') == filled


def test_a_filter_is_called_and_its_text_escaped(tmp_path: Path) -> None:
    (tmp_path / "page.html.jinja").write_text("{{ 2 | arrow }}")
    assert fill_template(tmp_path / "page.html.jinja", {"arrow": lambda value: f"{value}>"}) == "2&gt;"


def test_a_value_that_is_not_given_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "page.md.jinja").write_text("{{ there }} {{ missing }}")
    with pytest.raises(UndefinedError, match="missing"):
        fill_template(tmp_path / "page.md.jinja", there=1)
