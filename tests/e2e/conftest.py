"""Helpers of the end-to-end tests."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import torch
from mlflow import MlflowClient
from mlflow.entities import Run

from tests.processes import Command


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
def monai_command(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Command]:
    """`monai_command("run", "training", config_file="configs/train.json", epochs=1)`: MONAI's plain command line, as a
    process in the project's root that sees no network; `launcher` stands between python and `-m monai.bundle`, `more`
    is the environment's.
    """
    logs, number = tmp_path_factory.mktemp("commands"), count()

    def start(
        *words: str, launcher: tuple[str, ...] = (), overrides: Mapping[str, Any] | None = None,
        environment: Mapping[str, str] | None = None, **more: Any,
    ) -> Command:  # fmt: skip
        options = [text for key, value in {**more, **(overrides or {})}.items() for text in (f"--{key}", str(value))]
        # As many threads as in this process: the order of a sum is part of the result.
        threads = {"OMP_NUM_THREADS": str(torch.get_num_threads()), "HF_HUB_OFFLINE": "1"}
        return Command(
            [*launcher, "-m", "monai.bundle", *words, *options], logs / f"{next(number)}.txt", project,
            {**os.environ, **threads, **(environment or {})},
        )  # fmt: skip

    return start


@pytest.fixture(scope="session")
def monai_ranks(monai_command: Callable[..., Command]) -> Callable[..., list[Command]]:
    """`monai_ranks(2, "run", "training", …)`: the processes that torchrun would start, with the environment that it
    gives them; `test_two_processes` starts torchrun itself.
    """

    number = count()

    def start(size: int, *words: str, **more: Any) -> list[Command]:
        # Below the ports that the system gives to whoever asks, and another one for each process of pytest-xdist.
        port = 20_000 + (10 * os.getpid() + next(number)) % 12_000
        common = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(size)}
        return [
            monai_command(*words, environment=common | {"RANK": str(rank), "LOCAL_RANK": str(rank)}, **more)
            for rank in range(size)
        ]

    return start
