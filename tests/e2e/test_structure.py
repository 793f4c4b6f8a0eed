"""The lines that hold the structure: who imports whom, what configs may name, how long a module gets."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from pydoc import locate
from typing import Any

import pytest
from monai.bundle import ComponentLocator

PROJECT = Path(__file__).resolve().parents[2]
MODULES = sorted(path for folder in ("scripts", "bundle") for path in (PROJECT / folder).rglob("*.py"))
CONFIGS = sorted((PROJECT / "configs").glob("*.json"))
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
        assert "bundle" not in names  # a packed task carries `scripts` alone
    assert ast.get_docstring(tree)
    assert len(text.splitlines()) <= 300
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and isinstance(node.value, ast.Constant):
            assert (node.arg, node.value.value) not in {
                ("weights_only", False), ("allow_pickle", True), ("trust_remote_code", True)
            }  # fmt: skip


def targets(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if "_target_" in value:
            yield value["_target_"]
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from targets(one)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
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
            assert full.count(".") == 2, f"{target}: configs name what a package exports, scripts.<package>.<name>"


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
