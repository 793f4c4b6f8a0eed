"""The site of the docs: builds strictly, needs nothing from elsewhere, and shows what the packages export."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Callable
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
PACKAGES = [".".join(file.parent.relative_to(PROJECT).parts) for file in (PROJECT / "scripts").rglob("__init__.py")]


@pytest.fixture(scope="module")
def site(once: Callable[..., Path]) -> Path:
    """The built pages; a warning (a dead link, a page that nobody finds) is an error."""
    from mkdocs.commands.build import build
    from mkdocs.config import load_config

    return once("site", lambda out: build(load_config(str(PROJECT / "mkdocs.yml"), strict=True, site_dir=str(out))))


def test_every_page_is_there_and_loads_nothing_from_elsewhere(site: Path) -> None:
    pages = sorted(site.rglob("*.html"))
    sources = {path.stem for path in (PROJECT / "docs").glob("*.md")} - {"README"}
    assert {page.stem for page in pages} >= sources | {"index", "model_card", "changelog", "contributing", "security"}
    for page in pages:
        text = page.read_text(encoding="utf-8")
        loaded = re.findall(r"<(?:script|img|iframe|source)\b[^>]*\bsrc=[\"']?([^\"'\s>]+)", text)
        loaded += re.findall(r"<link\b(?![^>]*rel=[\"']?(?:canonical|prev|next))[^>]*\bhref=[\"']?([^\"'\s>]+)", text)
        assert loaded
        assert [name for name in loaded if "://" in name or name.startswith("//")] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_the_page_of_a_package_shows_what_it_exports(site: Path, package: str) -> None:
    text = (site / "api" / f"{package}.html").read_text(encoding="utf-8")
    module = importlib.import_module(package)
    exported = {name: getattr(module, name) for name in getattr(module, "__all__", ())}
    names = [name for name, one in exported.items() if inspect.isclass(one) or inspect.isroutine(one)]
    assert [name for name in names if not re.search(rf'id="{package}(\.{name})?\.{name}"', text)] == []
