"""Hooks of mkdocs: pages from the project's root, the model card beside them, and a page of API for each package."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from posixpath import normpath
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

PROJECT = Path(__file__).resolve().parents[1]
PACKAGE = "scripts"
# File of the project: its page. Home is the project's README, so that the zoo's card needs another name.
PAGES = {
    "README.md": "index.md",
    "docs/README.md": "model_card.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
}
SOURCES = {page: source for source, page in PAGES.items()}
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s#]+)(#[^)\s]*)?\)")


def packages() -> Iterator[tuple[str, Path]]:
    """Name and `__init__.py` of each package of the code, from the tree."""
    for file in sorted((PROJECT / PACKAGE).rglob("__init__.py")):
        yield ".".join(file.parent.relative_to(PROJECT).parts), file


def api(name: str, file: Path) -> str:
    """The page of a package: what it exports, or its modules where it exports nothing."""
    lists = [
        ast.literal_eval(node.value)
        for node in ast.parse(file.read_text(encoding="utf-8")).body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
    ]
    modules = sorted(path.stem for path in file.parent.glob("[!_]*.py"))
    # A function that is called like its module is found behind that module alone.
    below = [f"{module}.{module}" for module in modules if module in lists[0]] if lists else modules
    blocks = [(name, 1), *((f"{name}.{one}", 2) for one in below)]
    return "\n".join(f"::: {path}\n    options: {{heading_level: {level}}}\n" for path, level in blocks)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """The pages of the API go behind the others."""
    config.nav = [*(config.nav or []), {"API": [{name: f"api/{name}.md"} for name, _ in packages()]}]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Pages that do not lie in docs/."""
    for source, page in PAGES.items():
        files.append(File.generated(config, page, content=(PROJECT / source).read_text(encoding="utf-8")))
    for name, file in packages():
        files.append(File.generated(config, f"api/{name}.md", content=api(name, file)))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Links between files of the project become links between pages; one to a file without a page is its text."""
    uri = page.file.src_uri
    if uri.startswith("api/"):
        return markdown
    folder = PurePosixPath(SOURCES.get(uri, f"docs/{uri}")).parent
    return LINK.sub(lambda link: _link(link, folder), markdown)


def _link(link: re.Match[str], folder: PurePosixPath) -> str:
    mark, text, target, heading = link.groups("")
    if "://" in target:
        return link[0]
    path = normpath(folder / target)
    if path not in PAGES and not path.startswith("docs/"):
        return text
    return f"{mark}[{text}]({PAGES.get(path, path.removeprefix('docs/'))}{heading})"
