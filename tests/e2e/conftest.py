"""Helpers of the end-to-end tests."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from mlflow import MlflowClient
from mlflow.entities import Run


@pytest.fixture(scope="session")
def runs_named() -> Callable[[str, str], list[tuple[Run, dict[str, list[tuple[int, float]]]]]]:
    """`runs_named(tracking_uri, name)`: runs of that name, each with its metrics' (step, value) pairs in order."""

    def find(tracking_uri: str, name: str) -> list[tuple[Run, dict[str, list[tuple[int, float]]]]]:
        client = MlflowClient(tracking_uri)
        experiments = [experiment.experiment_id for experiment in client.search_experiments()]
        found: list[Any] = []
        for run in client.search_runs(experiments):
            if run.info.run_name == name:
                history = {
                    key: [(m.step, m.value) for m in client.get_metric_history(run.info.run_id, key)]
                    for key in run.data.metrics
                }
                found.append((run, history))
        return found

    return find


@pytest.fixture(scope="session")
def monai_command(project: Path) -> Callable[..., subprocess.Popen[str]]:
    """`monai_command("run", "training", config_file="configs/train.json", epochs=1)`: MONAI's plain command line, as a
    process in the project's root that sees no network; `launcher` stands between python and `-m monai.bundle`.
    """

    def start(
        *words: str, launcher: tuple[str, ...] = (), overrides: Mapping[str, Any] | None = None, **more: Any
    ) -> subprocess.Popen[str]:
        options = [text for key, value in {**more, **(overrides or {})}.items() for text in (f"--{key}", str(value))]
        # As many threads as in this process: the order of a sum is part of the result.
        environment = os.environ | {"OMP_NUM_THREADS": str(torch.get_num_threads()), "HF_HUB_OFFLINE": "1"}
        return subprocess.Popen(
            [sys.executable, *launcher, "-m", "monai.bundle", *words, *options],
            cwd=project, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    return start


@pytest.fixture(scope="session")
def wait_for_save() -> Callable[[subprocess.Popen[str], Path], None]:
    """`wait_for_save(process, path)`: until the process writes `path` anew."""

    def wait(process: subprocess.Popen[str], path: Path, seconds: float = 120) -> None:
        before = path.stat().st_mtime_ns if path.exists() else None
        deadline = time.monotonic() + seconds
        while not path.exists() or path.stat().st_mtime_ns == before:
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                pytest.fail(f"no save of {path}:\n{process.communicate()[0]}")
            time.sleep(0.005)

    return wait
