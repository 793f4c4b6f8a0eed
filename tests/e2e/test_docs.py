"""The pages say what is there: switches and their defaults, commands, files, overlays, names."""

from __future__ import annotations

import argparse
import ast
import importlib
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from pydoc import locate
from typing import Any

import pytest

from bundle.__main__ import VERBS
from scripts.engine.overrides import check_command_line

PROJECT = Path(__file__).resolve().parents[2]
PAGES = sorted([*PROJECT.glob("*.md"), *(PROJECT / "docs").glob("*.md"), PROJECT / "results" / "README.md"])
# What a task's folder has besides its train.json.
PARTS = ("evaluate", "inference", "metadata", "multi_gpu_train", "train")
TASKS = ("classification", "segmentation", "detection")
SWITCHES = {"pretraining": PROJECT / "configs"} | {task: PROJECT / "configs" / task for task in TASKS}
# Ids that a config builds of others: no person gives them.
BUILT = {"settings", "cached", "validate#dataset#data#split"}


def page(name: str) -> str:
    return (PROJECT / "docs" / f"{name}.md").read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    """Contents of the fenced blocks of a language ("" = commands)."""
    parts = re.split(r"^```(\w*)$", text, flags=re.MULTILINE)
    # Text, language, block, "" of the closing fence, and so on.
    return [block for found, block in zip(parts[1::4], parts[2::4]) if found == language]


def switches(config: dict[str, Any]) -> dict[str, Any]:
    """Plain values of the first level: what a person overrides."""
    plain = (str, int, float, bool, type(None))
    return {
        key: value
        for key, value in config.items()
        if key not in BUILT and not key.startswith("_") and "#" not in key
        and (isinstance(value, plain) or key in ("names", "encoder_options")) and not _is_part(value)
    }  # fmt: skip


def _is_part(value: Any) -> bool:
    """A component of another file, or one made of other parts."""
    return isinstance(value, str) and re.match(r"[%@]|\$@(?!bundle_root|runs_dir|ckpt_dir)\w+[.#]", value) is not None


def told(text: str) -> dict[str, str]:
    """Default of each switch in the table of a page; rows may hold several, with as many defaults or one for all."""
    found: dict[str, str] = {}
    for row in re.findall(r"^\| (`.*?) \| (.*?) \| .*\|$", text, re.MULTILINE):
        names = re.findall(r"`([\w*]+)`", row[0])
        defaults = re.split(r", (?![^[{]*[\]}])", row[1])
        found |= dict(zip(names, defaults if len(defaults) == len(names) else row[1:] * len(names), strict=True))
    return found


@pytest.mark.parametrize("name", SWITCHES)
def test_a_page_names_every_switch_with_its_default(name: str) -> None:
    text = page(name)
    config = json.loads((SWITCHES[name] / "train.json").read_text())
    table = told(text.split("\n## Switches\n")[1].split("\n## ")[0])
    wanted = switches(config)
    nameless = [key for key in wanted if not re.search(rf"`{key}\b|`{key.partition('_')[0]}_\*`", text)]
    assert not nameless, f"{name}.md does not name {nameless}"
    for key, value in wanted.items():
        literal = table.get(key, "").strip("`")
        if isinstance(value, (bool, int, float)) and key in table:
            assert json.loads(literal) == value, key
        elif isinstance(value, str) and not value.startswith("$") and re.fullmatch(r"\w+", literal):
            assert literal == value, key
    there = {*config, *json.loads((SWITCHES[name] / "inference.json").read_text())}
    gone = [key for key in table if "*" not in key and key not in there]
    assert not gone, f"{name}.md tells of {gone}, which no config has"


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("part", ["evaluate", "inference"])
def test_a_page_names_the_switches_of_evaluation_and_inference(task: str, part: str) -> None:
    config = json.loads((SWITCHES[task] / f"{part}.json").read_text())
    assert [key for key in switches(config) if f"`{key}`" not in page(task)] == []


@pytest.mark.parametrize("task", TASKS)
def test_a_page_names_every_overlay(task: str) -> None:
    overlays = [file.name for file in SWITCHES[task].glob("*.json") if file.stem not in PARTS]
    assert overlays
    assert [file for file in overlays if f"`{file}`" not in page(task)] == []


def commands(text: str) -> Iterator[list[str]]:
    """Words of each command line in the pages' blocks."""
    for block in blocks(text, ""):
        for line in block.replace("\\\n", " ").splitlines():
            if re.match(r"(python|torchrun|make) ", line):
                yield shlex.split(re.sub(r" \[[\w ]+\]$", "", line), comments=True)  # without "[more options]"


COMMANDS = [(file.name, words) for file in PAGES for words in commands(file.read_text(encoding="utf-8"))]


@pytest.mark.parametrize(
    "words", [words for _, words in COMMANDS if "monai.bundle" in words], ids=lambda words: " ".join(words)[-90:]
)
def test_monais_commands_name_configs_and_switches_that_are_there(
    words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(PROJECT)
    arguments = words[words.index("monai.bundle") + 1 :]
    if arguments[0] == "run":
        assert arguments[1] in ("training", "evaluating", "inferring")
        check_command_line(arguments)
    files = re.findall(r"configs/[\w/]+\.json", " ".join(arguments))
    assert files
    assert [file for file in files if not Path(file).is_file()] == []


@pytest.mark.parametrize(
    "words", [words for _, words in COMMANDS if "bundle" in words], ids=lambda words: " ".join(words)[-90:]
)
def test_our_own_commands_parse(words: list[str]) -> None:
    verb, *arguments = words[words.index("bundle") + 1 :]
    parser = argparse.ArgumentParser(exit_on_error=False)
    importlib.import_module(VERBS[verb][0], "bundle").add_arguments(parser)
    try:
        parser.parse_args(arguments)
    except SystemExit:
        pytest.fail(f"python -m bundle does not take: {' '.join(words)}")


def test_make_has_the_targets_and_variables_of_the_pages() -> None:
    makefile = (PROJECT / "Makefile").read_text()
    for _, words in COMMANDS:
        if words[0] == "make":
            names = [word.partition("=")[0] for word in words[1:]]
            assert [name for name in names if not re.search(rf"^{name}(:| *\?=)", makefile, re.MULTILINE)] == []


@pytest.mark.parametrize("file", PAGES, ids=lambda file: file.relative_to(PROJECT).as_posix())
def test_links_and_pictures_lead_somewhere(file: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", file.read_text(encoding="utf-8")):
        if "://" in target:
            continue
        path, _, heading = target.partition("#")
        linked = file.parent / path if path else file
        assert linked.exists(), target
        if heading:
            titles = re.findall(r"^#+ (.*)$", linked.read_text(encoding="utf-8"), re.MULTILINE)
            assert heading in [re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles], target


@pytest.mark.parametrize("file", PAGES, ids=lambda file: file.relative_to(PROJECT).as_posix())
def test_python_in_the_pages_imports_what_is_there(file: Path) -> None:
    for block in blocks(file.read_text(encoding="utf-8"), "python"):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom):
                assert [name.name for name in node.names if locate(f"{node.module}.{name.name}") is None] == []


def test_names_of_ours_in_the_pages_are_there() -> None:
    """`scripts.package.name` in text and in blocks."""
    for file in PAGES:
        for name in set(re.findall(r"scripts(?:\.\w+)+", file.read_text(encoding="utf-8"))):
            module, _, attribute = name.rpartition(".")
            # A package may export a function under its module's name.
            assert locate(name) or hasattr(importlib.import_module(module), attribute), f"{file.name}: {name}"
