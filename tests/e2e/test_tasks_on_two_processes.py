"""The tasks' multi_gpu_train.json as two gloo processes on the CPU: both train one network, and one of them writes."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.processes import Command


@pytest.mark.parametrize("task", ["classification", "segmentation", "detection"])
def test_two_processes_train_one_network(
    task: str, tmp_path: Path, task_overrides: Callable[[str], dict[str, Any]],
    monai_ranks: Callable[..., list[Command]],
) -> None:  # fmt: skip
    """Detection's images without a box leave no output without a gradient, or the ranks would wait for ever."""
    files = f"['configs/{task}/train.json','configs/{task}/multi_gpu_train.json']"
    settings = task_overrides(task) | {
        "batch_size": 3,
        "frozen": False,
        "device": "cpu",
        "bundle_root": tmp_path,
        "run_name": f"two {task}",
    }
    for rank in monai_ranks(2, "run", "training", overrides=settings, config_file=files):
        told = rank.communicate()[0]
        assert rank.returncode == 0, told
    rows = json.loads((tmp_path / "runs" / task / "history.json").read_text())
    assert [row["epoch"] for row in rows] == [1, 2]
    assert all(math.isfinite(row["loss"]) for row in rows)
    state = torch.load(tmp_path / "models" / task / "model.pt", weights_only=True)
    assert not any(key.startswith("module.") for key in state)
