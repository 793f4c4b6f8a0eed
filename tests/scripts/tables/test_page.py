"""The page: one file that asks for nothing, with every text escaped and every picture inside."""

from __future__ import annotations

import base64
from html.parser import HTMLParser
from pathlib import Path

import pytest

from scripts.figures.montage import Panel, plot_montage
from scripts.statistics.estimate import Estimate
from scripts.tables.page import Picture, Section, write_html
from scripts.tables.scores import ScoreRow


class Page(HTMLParser):
    """Reads a page strictly: every tag is closed in order; links and texts are kept."""

    VOID = ("meta", "img", "br", "link", "input")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.tags: list[str] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "action", "data")]
        assert not any(name.startswith("on") for name, _ in attrs)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data.strip())


@pytest.fixture
def page(tmp_path: Path) -> tuple[Page, str, bytes]:
    import numpy as np

    picture = plot_montage([Panel(np.zeros((8, 8)))], tmp_path / "worst.png")
    rows = [
        ScoreRow("macro AUROC", {"this run": Estimate(0.8312, 0.8, 0.86, reason="over 1 of 2 classes")}, 0.5),
        ScoreRow("AUROC <Edema> & more", {"this run": Estimate(None, reason="no positives")}, 0.5),
        ScoreRow("ECE", {"this run": Estimate(0.03)}),
    ]
    sections = [
        Section("Scores", ["12 images", "a < b"], rows=rows),
        Section("Empty"),
        Section("Pictures", pictures=[Picture(picture, 'Worst "cases"')]),
        Section("Settings", facts={"names": ["a", "b"], "fold": None, "options": {"width": 0.5}, "key": "<script>"}),
    ]
    text = write_html(tmp_path / "report.html", "A <title>", sections).read_text(encoding="utf-8")
    return Page(text), text, picture.read_bytes()


def test_it_asks_for_nothing_from_elsewhere(page: tuple[Page, str, bytes]) -> None:
    parsed, text, _ = page
    assert all(link.startswith("data:image/png;base64,") for link in parsed.links)
    assert not {"script", "link", "iframe", "object", "embed", "base"} & set(parsed.tags)
    assert not any(word in text for word in ("@import", "url(", "http://", "https://", "@font-face"))


def test_its_pictures_are_the_files(page: tuple[Page, str, bytes]) -> None:
    parsed, _, picture = page
    (link,) = parsed.links
    assert base64.b64decode(link.removeprefix("data:image/png;base64,")) == picture


def test_texts_numbers_intervals_trivial_levels_and_settings_are_there(page: tuple[Page, str, bytes]) -> None:
    parsed, text, _ = page
    for expected in (
        "A <title>", "a < b", "AUROC <Edema> & more", "0.831", "[0.800, 0.860]", "over 1 of 2 classes", "0.500",
        "not scored: no positives", "a, b", "width: 0.5", "<script>",
    ):  # fmt: skip
        assert expected in parsed.texts
    assert "Empty" not in parsed.texts
    assert "viewport" in text
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text
