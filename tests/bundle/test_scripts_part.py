"""The part of `scripts` in a pack: files that modules read lie beside them."""

from __future__ import annotations

from pathlib import Path

import pytest

from bundle.pack.scripts_part import ScriptsPart


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("scripts.evaluation.Prompts", "evaluation/prompts.json"),
        ("scripts.tables.write_html", "tables/page.html.jinja"),
    ],
)
def test_what_a_module_reads_goes_with_it(tmp_path: Path, project: Path, name: str, file: str) -> None:
    part = ScriptsPart(project)
    part.add(name)
    part.write(tmp_path)
    assert (tmp_path / "scripts" / file).read_bytes() == (project / "scripts" / file).read_bytes()
    assert not list(tmp_path.rglob("__pycache__"))
