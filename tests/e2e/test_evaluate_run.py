"""evaluate.json over train.json: the trained encoder beside its baselines, from the store and from raw files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from scripts.data.studies import read_studies

RunConfig = Callable[..., Any]
FILES = ["train.json", "evaluate.json"]
MEMBERS = {"pre-trained", "random initialisation 0", "random initialisation 1", "16 x 16 pixels"}
LABELS = ["opacity", "effusion", "pneumothorax", "nodule", "cardiomegaly"]


@pytest.fixture(scope="module")
def overrides(tiny_overrides: dict[str, Any], trained: SimpleNamespace) -> dict[str, Any]:
    return tiny_overrides | {"ckpt_dir": str(trained.models), "random_seeds": [0, 1], "run_id": "evaluating"}


@pytest.fixture(scope="module")
def evaluated(
    overrides: dict[str, Any], run_config: RunConfig, runs_named: Callable[..., Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> SimpleNamespace:  # fmt: skip
    root = tmp_path_factory.mktemp("evaluated")
    run_config(FILES, root, **overrides, tracking="mlflow", run_name="evaluated once")
    folder = root / "runs" / "evaluation"
    return SimpleNamespace(
        folder=folder,
        result=json.loads((folder / "evaluation.json").read_text()),
        runs=runs_named(overrides["tracking_uri"], "evaluated once"),  # other files share the database
    )


def test_every_file_is_there(evaluated: SimpleNamespace) -> None:
    names = {path.relative_to(evaluated.folder).as_posix() for path in evaluated.folder.rglob("*") if path.is_file()}
    pictures = {f"pictures/{name}.png" for name in ("image_retrieval", "probe", "retrieval", "spectrum", "zero_shot")}
    assert names >= {"evaluation.json", "evaluation.csv", "evaluation.md"} | pictures
    assert all((evaluated.folder / picture).stat().st_size > 10_000 for picture in pictures)


def test_the_scores_are_there_for_every_member(evaluated: SimpleNamespace, prepared: Path) -> None:
    result = evaluated.result
    test = read_studies(prepared).query("split == 'test'")
    assert result["images"] == 36
    assert set(result["probe"]) == set(result["geometry"]) == MEMBERS
    for member in MEMBERS:
        rows = {row["name"]: row for row in result["probe"][member]["rows"]}
        assert list(rows) == LABELS
        for label, row in rows.items():
            known = test[f"label_{label}"].isin([0, 1])
            assert (row["n"], row["positives"]) == (known.sum(), (test[f"label_{label}"] == 1).sum())
            assert 0 <= row["auroc"] <= 1
            # Of so few images, some findings are lost by too many draws to have an interval.
            assert (row["lo"] is None and row["hi"] is None) or 0 <= row["lo"] <= row["auroc"] <= row["hi"] <= 1
    retrieval = result["retrieval"]["pre-trained"]
    assert retrieval["n"] == 9  # of the test split, which pre-training has not seen
    assert retrieval["image_to_report"]["p_at_1"]["chance"] == pytest.approx(1 / 9)
    assert result["geometry"]["pre-trained"]["effective_rank"] > 1


def test_trivial_random_and_pixels_stand_in_the_table(evaluated: SimpleNamespace) -> None:
    head = (evaluated.folder / "evaluation.md").read_text().splitlines()[0]
    assert [cell.strip() for cell in head.strip("|").split("|")] == [
        "score", "trivial", "16 x 16 pixels", "random (2 seeds, range)", "pre-trained"
    ]  # fmt: skip
    frame = pd.read_csv(evaluated.folder / "evaluation.csv")
    assert (frame.loc[frame["score"].str.startswith("AUROC"), "trivial"] == 0.5).all()
    assert frame.loc[frame["score"] == "R@1 image→report", "trivial"].to_list() == pytest.approx([1 / 9])


def test_tracking_on_top_logs_each_score_once(evaluated: SimpleNamespace) -> None:
    ((_, metrics),) = evaluated.runs
    macro = evaluated.result["probe"]["pre-trained"]["macro"]["auroc"]
    assert [value for _, value in metrics["pre-trained: macro AUROC"]] == pytest.approx([macro])
    p_at_1 = evaluated.result["retrieval"]["pre-trained"]["image_to_report"]["p_at_1"]["value"]
    assert [value for _, value in metrics["image_to_report_p_at_1"]] == pytest.approx([p_at_1])
    assert all(len(pairs) == 1 for pairs in metrics.values())


def test_it_can_be_repeated(
    evaluated: SimpleNamespace, tmp_path: Path, overrides: dict[str, Any], run_config: RunConfig
) -> None:
    run_config(FILES, tmp_path, **overrides | {"batch_size": 7})
    again = json.loads((tmp_path / "runs" / "evaluation" / "evaluation.json").read_text())
    for member in MEMBERS:
        for ours, theirs in zip(again["probe"][member]["rows"], evaluated.result["probe"][member]["rows"], strict=True):
            assert ours["auroc"] == pytest.approx(theirs["auroc"], abs=0.05)
    # Random members are drawn from their seeds, whatever else is drawn.
    geometry = [found["geometry"]["random initialisation 1"] for found in (again, evaluated.result)]
    assert geometry[0] == pytest.approx(geometry[1], rel=1e-3)


@pytest.mark.parametrize(
    ("columns", "has"),
    [
        (["image", "label_effusion", "patient_id", "split"], {"probe"}),
        (["image", "report"], {"retrieval"}),
        (["image"], set()),
    ],
    ids=["labels", "reports", "neither"],
)
def test_raw_files_are_scored_by_what_they_have(
    columns: list[str], has: set[str], prepared: Path, tmp_path: Path, overrides: dict[str, Any], run_config: RunConfig
) -> None:
    read_studies(prepared)[columns].to_csv(tmp_path / "table.csv", index=False)
    run_config(FILES, tmp_path, **overrides | {"dataset_dir": str(tmp_path / "table.csv"), "protocol": "5-fold"})
    result = json.loads((tmp_path / "runs" / "evaluation" / "evaluation.json").read_text())
    assert {"probe", "retrieval"} & result.keys() == has
    assert set(result["geometry"]) == MEMBERS
    if "probe" in has:
        assert [row["n"] for row in result["probe"]["pre-trained"]["rows"]] == [36]


def test_other_weights_stand_beside(
    trained: SimpleNamespace, tmp_path: Path, overrides: dict[str, Any], run_config: RunConfig
) -> None:
    same = {"the same again": str(trained.models / "model.pt")}
    run_config(FILES, tmp_path, **overrides, compare=same)
    result = json.loads((tmp_path / "runs" / "evaluation" / "evaluation.json").read_text())
    assert set(result["probe"]) == MEMBERS | set(same)
    assert result["probe"]["the same again"] == result["probe"]["pre-trained"]
