"""The lines that hold the structure: who imports whom, what configs may name, how long a module gets."""

from __future__ import annotations

import ast
import json
import re
import runpy
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path
from pydoc import locate
from typing import Any

import pytest
from monai.bundle import ComponentLocator

from scripts.tasks.registry import TASKS

PROJECT = Path(__file__).resolve().parents[2]
MODULES = sorted(path for folder in ("scripts", "bundle", "benchmarks") for path in (PROJECT / folder).rglob("*.py"))
CONFIGS = sorted((PROJECT / "configs").rglob("*.json"))
# Not needed, not safe, or not to be had beside torch on every machine.
FORBIDDEN = {"torchvision", "dill", "joblib", "gdcm", "libjpeg", "requests"}


def imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield (node.module or "").split(".")[0]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PROJECT).as_posix())
def test_a_module_keeps_to_the_rules(path: Path) -> None:
    text = path.read_text()
    tree = ast.parse(text)
    names = set(imports(tree))
    assert not names & FORBIDDEN
    if path.is_relative_to(PROJECT / "scripts"):
        # A packed task carries `scripts` alone, and under whatever name.
        assert not names & {"bundle", "scripts"}
    assert ast.get_docstring(tree)
    assert len(text.splitlines()) <= 300
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and isinstance(node.value, ast.Constant):
            assert (node.arg, node.value.value) not in {
                ("weights_only", False), ("allow_pickle", True), ("trust_remote_code", True)
            }  # fmt: skip


@pytest.fixture(scope="module")
def architecture() -> dict[str, Any]:
    """The script that draws docs/pictures/architecture.png from the imports."""
    return runpy.run_path(str(PROJECT / "docs" / "pictures" / "architecture.py"))


def test_no_arrow_goes_upwards(architecture: dict[str, Any]) -> None:
    level = {name: row for row, names in enumerate(architecture["LAYERS"]) for name in names}
    packages = architecture["package_imports"](architecture["module_imports"]())
    assert packages.keys() == level.keys()
    upwards = [
        f"{name} -> {other}" for name, found in packages.items() for other in found if level[other] >= level[name]
    ]
    assert not upwards


def test_no_modules_import_each_other_in_a_circle(architecture: dict[str, Any]) -> None:
    modules = architecture["module_imports"]()
    # An `__init__` gathers what is below it, and whoever imports a module beside it imports it, too.
    gathers = {name for name in modules if any(other.startswith(f"{name}.") for other in modules)}
    graph = {name: found - gathers - {name} for name, found in modules.items() if name not in gathers}
    assert len(list(TopologicalSorter(graph).static_order())) == len(graph)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PROJECT).as_posix())
def test_no_process_is_a_fork_of_one_with_threads(path: Path) -> None:
    """A pool's default on Linux is a fork; with OpenCV's threads in the parent, its children never end."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in ("ProcessPoolExecutor", "Pool"):
            assert "process_context" in ast.unparse(node), ast.unparse(node)
        assert not (isinstance(node, ast.Attribute) and ast.unparse(node) in ("os.fork", "multiprocessing.Process"))


def targets(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if "_target_" in value:
            yield value["_target_"]
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from targets(one)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.relative_to(PROJECT / "configs").as_posix())
def test_a_config_names_what_is_there_and_is_ours_monais_or_torchs(path: Path) -> None:
    config = json.loads(path.read_text())
    locator = ComponentLocator()
    for target in targets(config):
        if target.startswith("@"):
            assert target[1:] in {"encoder"}  # a switch whose value is a name of MONAI's networks
            continue
        full = target if "." in target else f"{locator.get_component_module_name(target)}.{target}"
        assert full.split(".")[0] in {"scripts", "monai", "torch"}, target
        assert callable(locate(full)), target
        if full.startswith("scripts."):
            package = PROJECT / full.rpartition(".")[0].replace(".", "/")
            assert package.is_dir(), f"{target}: configs name what a package exports, scripts.<package>.<name>"


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from strings(one)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.relative_to(PROJECT / "configs").as_posix())
def test_what_a_config_shares_is_there_and_is_no_macro_itself(path: Path) -> None:
    """MONAI does not follow a macro within a macro: its text would reach a component."""
    for text in strings(json.loads(path.read_text())):
        if text.startswith("%configs/"):
            file, _, name = text[1:].partition("::")
            value = json.loads((PROJECT / file).read_text())
            for key in name.split("::"):
                value = value[key]
            assert not any(one.startswith("%") for one in strings(value)), text


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.relative_to(PROJECT / "configs").as_posix())
def test_a_handler_has_a_name(path: Path) -> None:
    """An overlay or a command line says `save#every_minutes`, and not which number a handler has in its list. It is a
    macro, since MONAI's check of properties reads the list itself. MONAI follows no macro within a macro, but resolves
    them in the order of the file: what `%save` is must be resolved before it.
    """
    config = json.loads(path.read_text())
    lists = {key: value for key, value in config.items() if key.endswith("handlers")}
    lists |= {part: config[part]["handlers"] for part in ("train", "validate") if "handlers" in config.get(part, {})}
    order = list(config)
    for place, handlers in lists.items():
        for name in handlers:
            assert re.fullmatch(r"%(\w+|configs/tasks\.json::\w+)", name), name
            macros = [text for text in strings(config.get(name[1:], "")) if text.startswith("%")]
            assert not macros or order.index(name[1:]) < order.index(place) or place == "validate#handlers", name
    assert not re.search(r"handlers(#|::)\d", path.read_text())


@pytest.mark.parametrize("task", TASKS)
def test_a_switch_of_a_task_does_something(task: str) -> None:
    """Each id of the configs is named by a component of its own folder or of what it shares."""
    folder = PROJECT / "configs" / task
    shared = [(PROJECT / "configs" / name).read_text() for name in ("tasks.json", "train.json", "inference.json")]
    for name in ("train", "inference"):
        text = (folder / f"{name}.json").read_text()
        together = "".join(
            [*shared, text, *((folder / f"{other}.json").read_text() for other in ("train", "evaluate"))]
        )
        hosts = {"imports", "task", "postprocessing", "inferring", "training", "run", "initialize", "protocol"}
        for key in json.loads(text):
            named = any(f"{before}{key}" in together for before in ("@", "::", '"%'))
            assert key in hosts or named, f"{task}/{name}.json: {key}"


def test_the_tasks_switches_are_the_same_where_they_mean_the_same() -> None:
    """Nothing is a copy that has drifted: the ids that all three have agree in value, but for these."""
    own = {"names", "batch_size", "weight_decay", "stop_on", "task", "settings", "network_def", "loss", "train"}
    own |= {"validate", "prepare_batch", "check_validation"}
    configs = [json.loads((PROJECT / "configs" / task / "train.json").read_text()) for task in TASKS]
    for key in set.intersection(*(set(config) for config in configs)) - own:
        assert configs[0][key] == configs[1][key] == configs[2][key], key


def test_no_config_imports_a_package_of_ours() -> None:
    """Such a line runs where `scripts` is not to be found: in `monai.bundle.load` from another folder."""
    for path in CONFIGS:
        assert all("scripts" not in line for line in json.loads(path.read_text()).get("imports", [])), path


@pytest.mark.parametrize(
    ("file", "verb"), [("train", "training"), ("evaluate", "evaluating"), ("inference", "inferring")]
)
def test_the_configs_run_under_both_names(file: str, verb: str) -> None:
    config = json.loads((PROJECT / "configs" / f"{file}.json").read_text())
    assert config["run"] == f"%{verb}"
    assert isinstance(config[verb], list)


def test_the_encoder_is_written_alike_in_both_configs() -> None:
    """What train.json makes, inference.json must be able to load: the same dict and the same default switches."""
    train, inference = (
        json.loads((PROJECT / "configs" / f"{name}.json").read_text()) for name in ("train", "inference")
    )
    for key in ("network_def", "encoder", "image_size", "device"):
        assert train[key] == inference[key], key
    own = [*train["load_image"], *train["to_encoder"]]
    assert own == inference["preprocessing"]["transforms"]
    assert not any("Rand" in target for target in targets(own))


def named(node: ast.AST) -> set[str]:
    return {one.value for one in ast.walk(node) if isinstance(one, ast.Constant) and isinstance(one.value, str)}


def branches(tree: ast.AST) -> Iterator[tuple[int, set[str]]]:
    """Where code looks at a text: comparisons (`==`, `in`), cases of a match, keys of a table."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            yield node.lineno, named(node)
        elif isinstance(node, ast.match_case):
            yield node.pattern.lineno, named(node.pattern)
        elif isinstance(node, ast.Dict):
            yield node.lineno, set().union(*(named(key) for key in node.keys if key is not None))


def test_nobody_outside_a_tasks_folder_looks_at_its_name() -> None:
    """What differs from task to task, the task's object tells."""
    own = {PROJECT / "scripts" / "tasks" / task for task in TASKS}
    found = [
        f"{path.relative_to(PROJECT)}:{line}: {', '.join(names & {*TASKS, 'pretraining'})}"
        for path in MODULES
        if not own & set(path.parents)
        for line, names in branches(ast.parse(path.read_text()))
        if names & {*TASKS, "pretraining"}
    ]
    assert found == []


def test_a_task_is_a_folder_of_code_a_folder_of_configs_and_an_object() -> None:
    folders = {path.parent.name for path in (PROJECT / "scripts" / "tasks").glob("*/task.py")}
    configs = {path.parent.name for path in (PROJECT / "configs").glob("*/train.json")}
    assert folders == configs == set(TASKS)
