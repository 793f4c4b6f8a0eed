"""What is written in more than one file of the project's root says the same."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
import yaml

PROJECT = Path(__file__).resolve().parents[2]
PYPROJECT = tomllib.loads((PROJECT / "pyproject.toml").read_text())


@pytest.mark.parametrize(
    "path", sorted((PROJECT / "configs").rglob("metadata.json")), ids=lambda path: path.parent.name
)
def test_the_version_is_that_of_pyproject(path: Path) -> None:
    """The zoo reads a literal from metadata.json."""
    metadata = json.loads(path.read_text())
    assert metadata["version"] == PYPROJECT["project"]["version"]
    assert next(iter(metadata["changelog"])) == metadata["version"]  # the newest first


def test_pre_commit_runs_the_linters_of_ci() -> None:
    lint = re.search(r"^lint:.*\n((?:\t.*\n)+)", (PROJECT / "Makefile").read_text(), re.MULTILINE)
    assert lint
    commands = [line.strip().replace("$(PY)", ".venv/bin/python") for line in lint[1].splitlines()]
    hooks = yaml.safe_load((PROJECT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    assert [hook["entry"] for hook in hooks] == commands


def test_the_lock_has_every_dependency_in_its_range() -> None:
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    wanted = [
        line.partition("#")[0]
        for line in (PROJECT / "requirements.txt").read_text().splitlines()
        if line.partition("#")[0].strip()
    ]
    wanted += [one for extra in PYPROJECT["project"]["optional-dependencies"].values() for one in extra]
    pins = [line.split("==") for line in (PROJECT / "requirements.lock").read_text().splitlines() if "==" in line]
    locked = {canonicalize_name(name): version for name, version in pins}
    for requirement in map(Requirement, wanted):
        assert requirement.specifier.contains(locked[canonicalize_name(requirement.name)]), str(requirement)
