"""The baselines as their overlays run them, and what docs/methods.md says about methods."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from monai.networks.nets import resnet10, resnet50
from torch import nn

from scripts.encoders.factory import RESNET
from scripts.pretraining.infonce import ConVirt
from scripts.pretraining.mflag import MFlag
from scripts.pretraining.siglip import SigLip
from scripts.pretraining.supervised import Supervised

RunConfig = Callable[..., Any]
TERMS = {
    "convirt": {"image_to_report", "report_to_image", "temperature"},
    "siglip": {"positives", "negatives", "temperature", "bias"},
}


def rows(root: Path) -> list[dict[str, float]]:
    return json.loads((root / "runs" / "pretraining" / "history.json").read_text())


def has_the_encoders_weights(root: Path) -> None:
    state = torch.load(root / "models" / "model.pt", weights_only=True)
    resnet10(**RESNET, widen_factor=0.25).load_state_dict(state, strict=True)


@pytest.mark.parametrize("method", TERMS)
def test_a_contrastive_baseline_trains(
    tmp_path: Path, tiny_overrides: dict[str, Any], run_config: RunConfig, method: str
) -> None:
    run_config(["train.json", f"{method}.json"], tmp_path, **tiny_overrides)
    found = rows(tmp_path)
    assert len(found) == 3
    for row in found:
        assert row.keys() >= TERMS[method] | {"loss", "val_retrieval", "val_effective_rank", "val_alignment"}
        assert all(math.isfinite(value) for value in row.values())
    assert found[-1]["loss"] < found[0]["loss"]
    assert found[-1]["temperature"] != found[0]["temperature"]
    has_the_encoders_weights(tmp_path)


def test_supervised_trains_without_reports_and_without_a_language_model(
    tmp_path: Path, tiny_overrides: dict[str, Any], run_config: RunConfig, demo_folder: Path, prepared: Path
) -> None:
    table = pd.read_csv(demo_folder / "demo.csv", dtype={"image": str, "patient_id": str})
    table = table[["image", "patient_id", *(name for name in table if name.startswith("label_"))]]
    table["image"] = table["image"].map(lambda name: str(demo_folder / name))
    table.loc[table.index[:3], "label_nodule"] = -1.0  # uncertain
    # 36 studies: halves, so that the validation has positives and negatives.
    table["split"] = ["train" if patient else "val" for patient in pd.factorize(table["patient_id"])[0] % 2]
    table.to_csv(tmp_path / "labels.csv", index=False)
    own = {key: value for key, value in tiny_overrides.items() if key not in ("method#hidden_dim", "method#out_dim")}
    own |= {"dataset_dir": str(tmp_path / "labels.csv"), "language_model": "/no/such/folder", "epochs": 2}
    run_config(["train.json", "supervised.json"], tmp_path, **own)
    for row in rows(tmp_path):
        assert row.keys() >= {"loss", "val_auroc", "val_auroc_opacity", "val_effective_rank"}
        assert not {"val_alignment", "val_retrieval"} & row.keys()
        assert 0 <= row["val_auroc"] <= 1
    assert json.loads((tmp_path / "models" / "model.json").read_text())["best"]["metric"] == "auroc"
    has_the_encoders_weights(tmp_path)


@pytest.fixture(scope="module")
def page(project: Path) -> str:
    return (project / "docs" / "methods.md").read_text(encoding="utf-8")


def test_the_page_counts_trained_parameters(page: str) -> None:
    encoder = resnet50(**RESNET)
    for text_dim, column in ((768, 0), (384, 1)):
        for name, network in {
            "M-FLAG": MFlag(encoder, text_dim, image_dim=2048),
            "ConVIRT": ConVirt(encoder, text_dim, image_dim=2048),
            "SigLIP": SigLip(encoder, text_dim, image_dim=2048),
        }.items():
            told = re.search(rf"^\| {name} \| ([\d,]+) \| ([\d,]+) \|$", page, re.MULTILINE)
            assert told, name
            count = sum(parameter.numel() for parameter in network.parameters())
            assert int(told.groups()[column].replace(",", "")) == count, (name, text_dim)
    count = sum(parameter.numel() for parameter in Supervised(encoder, classes=5).parameters())
    assert f"| Supervised, 5 findings | {count:,} |" in page


def test_the_page_counts_the_lines_of_a_method(project: Path, page: str) -> None:
    table = re.findall(r"^\| `(\w+)`[^|]*\| (\d+) \| (\d+) \| (\d+) \|$", page, re.MULTILINE)
    assert [name for name, *_ in table] == ["mflag", "infonce", "siglip", "supervised"]
    for name, *told in table:
        overlay = {"mflag": None, "infonce": "convirt"}.get(name, name)
        files = [
            project / "scripts" / "pretraining" / f"{name}.py",
            project / "configs" / f"{overlay}.json" if overlay else None,
            project / "tests" / "scripts" / "pretraining" / f"test_{name}.py",
        ]
        found = [len(file.read_text().splitlines()) if file else 0 for file in files]
        # A comment more need not change the page.
        assert all(abs(int(a) - b) <= 5 for a, b in zip(told, found, strict=True)), (name, told, found)


def test_the_pages_example_is_a_method(page: str) -> None:
    (code,) = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(code, "methods.md", "exec"), names)
    torch.manual_seed(0)
    encoder = nn.Sequential(nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(48, 6))
    network, loss = names["Regression"](encoder, text_dim=5, precision="float32"), names["RegressionLoss"]()
    # Tracking counts, and several ranks compare, what there is before the first batch.
    assert sum(parameter.numel() for parameter in network.parameters()) == 48 * 6 + 6 + 6 * 5 + 5
    image, text = torch.randn(8, 3, 4, 4), torch.randn(8, 5)
    first = loss(network(image, text))
    optimizer = torch.optim.AdamW(network.parameters(), 0.05)
    for _ in range(30):
        optimizer.zero_grad()
        value = loss(network(image, text))
        value.backward()
        optimizer.step()
    assert value < 0.5 * first
