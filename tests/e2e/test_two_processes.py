"""multi_gpu_train.json as two gloo processes on the CPU: stopped, resumed, and the same as one process."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from tests.processes import Command

LAUNCHER = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2")
# On the CPU each rank normalises over its own part of the batch (there is no SyncBatchNorm); with batch norm in eval
# nothing but the order of sums is left to differ. Adam would blow that up where a gradient is all but zero.
FROZEN = {
    "frozen": "$[m.eval() and setattr(m, 'train', lambda mode=True: None) for m in @method.modules()"
    " if isinstance(m, torch.nn.modules.batchnorm._BatchNorm)]",
    "network": {"_target_": "scripts.engine.distribute", "network": "$@frozen and @method", "device": "@device"},
    "optimizer": {"_target_": "torch.optim.SGD", "params": "$@network.parameters()", "lr": 0.01, "momentum": 0.9},
}


def rows(root: Path) -> list[dict[str, float]]:
    return json.loads((root / "runs" / "pretraining" / "history.json").read_text())


def test_two_processes_are_one(
    tmp_path: Path, tiny_overrides: dict[str, Any], run_config: Callable[..., Any], runs_named: Callable[..., Any],
    monai_command: Callable[..., Command], monai_ranks: Callable[..., list[Command]],
) -> None:  # fmt: skip
    frozen, root, alone = tmp_path / "frozen.json", tmp_path / "two", tmp_path / "one"
    frozen.write_text(json.dumps(FROZEN))
    files = f"['configs/train.json','configs/multi_gpu_train.json','{frozen}']"
    overrides = tiny_overrides | {"batch_size": 2, "bundle_root": root, "run_name": "two", "config_file": files}

    # Told to stop after the first epoch: both ranks leave after the same step, and none waits for the other.
    at_a_save = (str(Path(__file__).with_name("at_a_save.py")), "1", "after", "SIGTERM", "parent")
    stopped = monai_command("run", "training", launcher=(*LAUNCHER, *at_a_save), overrides=overrides)
    told = stopped.communicate()[0]
    state = torch.load(root / "models" / "checkpoint.pt", weights_only=True)
    assert told.count("go on with --resume True") == 2
    assert state["iteration"] % 5 == 0
    for rank in monai_ranks(2, "run", "training", overrides=overrides | {"resume": True}):
        told = rank.communicate()[0]
        assert rank.returncode == 0, told

    run_config(
        ["train.json", "multi_gpu_train.json", str(frozen)], alone,
        **tiny_overrides | {"batch_size": 4, "run_name": "one"},
    )  # fmt: skip
    assert len(rows(root)) == len(rows(alone)) == 3
    for two, one in zip(rows(root), rows(alone), strict=True):
        assert two.keys() == one.keys()
        for name in ("loss", "alignment", "orthogonality", "val_effective_rank", "val_image_to_report_mrr"):
            assert two[name] == pytest.approx(one[name], rel=1e-5), (name, one["epoch"])
    for file in ("model.pt", "pretraining.pt", "checkpoint.pt"):
        found, expected = (torch.load(r / "models" / file, weights_only=True) for r in (root, alone))
        assert found.keys() == expected.keys()  # no "module." of DistributedDataParallel
    ((run, metrics),) = runs_named(tiny_overrides["tracking_uri"], "two")  # of rank 0 alone
    assert [step for step, _ in metrics["loss"]] == [1, 2, 3]
    assert run.info.status == "FINISHED"


def test_one_process_needs_no_launcher(
    tmp_path: Path, trained: SimpleNamespace, tiny_overrides: dict[str, Any], run_config: Callable[..., Any]
) -> None:
    run_config(["train.json", "multi_gpu_train.json"], tmp_path, **tiny_overrides)
    assert rows(tmp_path) == rows(trained.root)
