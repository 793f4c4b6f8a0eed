"""grounding.json and evaluate.json over other methods than the default: maps of cells, or why there are none."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
import torch

from scripts.data.studies import read_studies
from scripts.errors import CxrError

RunConfig = Callable[..., Any]
FILES = ["train.json", "evaluate.json", "grounding.json"]


@pytest.fixture(scope="module")
def overrides(tiny_overrides: dict[str, Any], trained: SimpleNamespace) -> dict[str, Any]:
    return tiny_overrides | {"ckpt_dir": str(trained.models), "run_id": "evaluating"}


def test_every_finding_with_a_box_is_pointed_at(
    overrides: dict[str, Any], run_config: RunConfig, prepared: Path, tmp_path: Path
) -> None:
    run_config(FILES, tmp_path, **overrides, protocol="5-fold")
    folder = tmp_path / "runs" / "grounding"
    result = json.loads((folder / "grounding.json").read_text())
    studies = read_studies(prepared)
    boxed = studies[studies["box_labels"].map(len) > 0]
    expected = boxed["box_labels"].map(set).explode().value_counts().to_dict()
    found = result["grounding"]["pre-trained"]
    assert {name: score["pairs"] for name, score in found.items() if name != "macro"} == expected
    assert (result["images"], result["patients"]) == (len(boxed), boxed["patient_id"].nunique())
    assert all(0 < found[name]["hit"]["trivial"] < 0.5 for name in expected)
    table = pd.read_parquet(folder / "grounding.parquet")
    assert len(table) == sum(expected.values())
    assert not set(table["patient"].astype(str)) & set(studies["patient_id"])
    assert (folder / "pictures" / "grounding.png").stat().st_size > 10_000
    assert "centre of the image" in (folder / "grounding.md").read_text()


def supervised(folder: Path, overrides: dict[str, Any], run_config: RunConfig) -> dict[str, Any]:
    """Settings of a supervised run whose weights are fresh ones."""
    own = {key: value for key, value in overrides.items() if not key.startswith(("method", "orthogonality"))}
    workflow = run_config(["train.json", "supervised.json"], folder, run=False, **own | {"run_id": "training"})
    method = workflow.parser.get_parsed_content("method")
    (folder / "models").mkdir()
    torch.save(method.state_dict(), folder / "models" / "pretraining.pt")
    torch.save(method.encoder.state_dict(), folder / "models" / "model.pt")
    return own | {"ckpt_dir": str(folder / "models")}


def test_a_method_without_a_shared_space_is_evaluated_without_it(
    overrides: dict[str, Any], run_config: RunConfig, tmp_path: Path
) -> None:
    own = supervised(tmp_path, overrides, run_config)
    run_config(["train.json", "supervised.json", "evaluate.json"], tmp_path, **own, random_seeds=[0])
    result = json.loads((tmp_path / "runs" / "evaluation" / "evaluation.json").read_text())
    assert result["shared_space"] == "Supervised has no space that images and reports share"
    assert not {"zero_shot", "retrieval"} & result.keys()
    assert {"probe", "image_retrieval", "geometry"} <= result.keys()
    with pytest.raises(Exception) as raised:
        run_config(["train.json", "supervised.json", "evaluate.json", "grounding.json"], tmp_path, **own)
    error: BaseException | None = raised.value
    while error is not None and not isinstance(error, CxrError):
        error = error.__cause__ or error.__context__
    assert "No grounding: Supervised has no space" in str(error)
