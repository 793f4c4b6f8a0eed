"""A device's name is as good as the device, for one process and for many."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ignite.distributed as idist
import pytest
import torch
from torch import nn

from scripts.engine.distribute import distribute
from scripts.engine.workflow import start_workflow


class Wrapped(nn.Module):
    """In place of DistributedDataParallel, which needs other processes."""

    def __init__(self, network: nn.Module, device_ids: list[int] | None = None) -> None:
        super().__init__()
        self.network, self.device_ids = network, device_ids


@pytest.mark.parametrize("device", ["cpu", "cpu:0", torch.device("cpu")])
@pytest.mark.parametrize("ranks", [1, 2])
def test_a_network_is_wrapped_on_a_device_or_its_name(
    device: str | torch.device, ranks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idist, "get_world_size", lambda: ranks)
    monkeypatch.setattr(sys.modules["scripts.engine.distribute"], "DistributedDataParallel", Wrapped)
    network = nn.Linear(2, 2)
    found = distribute(network, device)
    if ranks == 1:
        assert found is network
    else:
        assert isinstance(found, Wrapped)
        assert found.network is network
        assert found.device_ids is None


@pytest.mark.parametrize(
    ("device", "gpu", "backend"),
    [
        (None, False, "gloo"),
        ("cpu", False, "gloo"),
        ("cpu", True, "gloo"),
        ("cuda", True, "nccl"),
        (None, True, "nccl"),
    ],
)
def test_the_ranks_talk_over_the_device_that_was_asked_for(
    device: str | None, gpu: bool, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[str] = []
    chosen: list[int] = []
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    monkeypatch.setattr(idist, "backend", lambda: None)
    monkeypatch.setattr(idist, "initialize", begun.append)
    monkeypatch.setattr("atexit.register", lambda function: None)
    start_workflow(None, device)
    assert begun == [backend]
    assert chosen == ([1] if backend == "nccl" else [])  # each rank has a GPU of its own


@pytest.mark.parametrize("files", [["train.json"], ["train.json", "multi_gpu_train.json"]], ids=["one", "many"])
@pytest.mark.parametrize("task", ["", "classification", "segmentation", "detection"])
def test_every_training_builds_its_network_on_a_name(
    task: str, files: list[str], tmp_path: Path, run_config: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idist, "get_world_size", lambda: 2)
    monkeypatch.setattr(sys.modules["scripts.engine.distribute"], "DistributedDataParallel", Wrapped)
    thin = {"encoder_options": {"widen_factor": 0.25}} if task else {"network_def#widen_factor": 0.25}
    settings = {"encoder": "resnet10", "encoder_weights": "random" if task else None, "device": "cpu", **thin}
    parser = run_config([str(Path(task) / file) for file in files], tmp_path, run=False, **settings).parser
    network = parser.get_parsed_content("network")
    assert isinstance(network, Wrapped) == (len(files) == 2)
    assert next(network.parameters()).device == torch.device("cpu")
