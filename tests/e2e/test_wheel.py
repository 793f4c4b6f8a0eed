"""The wheel, built and installed over the suite's packages: `cxr_vlp` from a folder that has nothing else of ours."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from scripts.trained import load

SOURCES = ("scripts", "bundle", "configs", "pyproject.toml", "setup.py", "README.md", "LICENSE", "requirements.txt")
CODE = """
import sys
import numpy as np
import cxr_vlp

assert "torch" not in sys.modules
model = cxr_vlp.load(sys.argv[1], **{"network_def#widen_factor": 0.25})
np.save(sys.argv[3], model.embed(sys.argv[2]))
assert not any(name.split(".")[0] in ("scripts", "bundle") for name in sys.modules)

from cxr_vlp.bundle.__main__ import main

assert main(["demo", "demo", "--studies", "2", "--workers", "1"]) == 0
import scripts.errors

assert scripts.errors.CxrError is cxr_vlp.errors.CxrError
"""


def run(*arguments: str, folder: Path, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory, project: Path) -> Path:
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in SOURCES:
        path = project / name
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(path, source / name, ignore=ignored) if path.is_dir() else shutil.copy(path, source)
    build = ("-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "-w", str(out), ".")
    run(*build, folder=source)
    (found,) = out.glob("*.whl")
    return found


def test_it_holds_every_file_of_the_three_folders(wheel: Path, project: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    places = {"scripts": "cxr_vlp", "bundle": "cxr_vlp/bundle", "configs": "cxr_vlp/configs"}
    for folder, place in places.items():
        for path in (project / folder).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                assert f"{place}/{path.relative_to(project / folder).as_posix()}" in names, path
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {"cxr_vlp"}


def test_it_embeds_and_makes_data_from_anywhere(
    wheel: Path, trained: SimpleNamespace, demo_folder: Path, tmp_path: Path
) -> None:
    site, work = tmp_path / "site", tmp_path / "work"
    work.mkdir()
    run("-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(site), str(wheel), folder=work)
    file = sorted((demo_folder / "dicom").iterdir())[0]
    weights = trained.models / "model.pt"
    run("-c", CODE, str(weights), str(file), "found.npy", folder=work, PYTHONPATH=str(site))
    thin: dict[str, Any] = {"network_def#widen_factor": 0.25}
    expected = load(weights, **thin).embed(file)
    np.testing.assert_allclose(np.load(work / "found.npy"), expected, atol=1e-6)
    assert (work / "demo" / "demo.csv").is_file()
    (script,) = (site / "bin").iterdir() if (site / "bin").is_dir() else (site / "Scripts").iterdir()
    assert script.stem == "cxr-vlp"
