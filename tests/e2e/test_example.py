"""docs/example.md runs, block by block."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.networks.nets import resnet18

from scripts.encoders.factory import RESNET

PROJECT = Path(__file__).resolve().parents[2]
SIZE = 64


def test_the_blocks_of_the_example_run_one_after_another(
    tmp_path: Path, prepared: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What `make train` leaves, in small: a store of 64 pixels, and a ResNet-18 that nobody has trained."""
    models = tmp_path / "runs" / "demo" / "models"
    models.mkdir(parents=True)
    torch.manual_seed(0)
    torch.save(resnet18(**RESNET).state_dict(), models / "model.pt")
    (models / "model.json").write_text(json.dumps({"settings": {"encoder": "resnet18", "image_size": SIZE}}))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "demo_prepared").symlink_to(prepared)
    (tmp_path / "configs").symlink_to(PROJECT / "configs")
    monkeypatch.chdir(tmp_path)

    text = (PROJECT / "docs" / "example.md").read_text(encoding="utf-8")
    names: dict[str, object] = {}
    for block in re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        exec(compile(block, "docs/example.md", "exec"), names)
    features = names["features"]
    assert isinstance(features, dict)
    assert all(part.shape[1] == 512 and np.isfinite(part).all() for part in features.values())
    printed = capsys.readouterr().out
    assert printed.startswith("asked: ")
    assert 0 <= float(re.findall(r"AUROC effusion: (\d\.\d+)", printed)[0]) <= 1
