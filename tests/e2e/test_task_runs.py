"""The three task folders, each trained, evaluated and applied as a person would."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
import torch
from ignite.engine import Events
from monai.engines import SupervisedEvaluator, SupervisedTrainer

RunConfig = Callable[..., Any]
Overrides = Callable[[str], dict[str, Any]]
Trained = Callable[[str], SimpleNamespace]
TASKS = ("classification", "segmentation", "detection")


@pytest.fixture(autouse=True)
def in_the_project(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tasks' configs share parts by paths from the project's root."""
    monkeypatch.chdir(project)


@pytest.mark.parametrize("task", TASKS)
def test_a_run_leaves_weights_settings_curves_and_pictures(trained_task: Trained, task: str) -> None:
    run = trained_task(task)
    rows = json.loads((run.output / "history.json").read_text())
    assert [row["epoch"] for row in rows] == [1, 2]
    assert all(math.isfinite(row["loss"]) for row in rows)
    assert {path.name for path in run.models.iterdir()} == {
        "model.pt", "model.json", "checkpoint.pt", "checkpoint.mlflow",
    }  # fmt: skip
    assert {"first_batch.png", "training.png"} <= {path.name for path in (run.output / "pictures").iterdir()}
    card = json.loads((run.models / "model.json").read_text())
    assert card["settings"]["encoder"] == "resnet10"
    assert card["best"]["epoch"] in (1, 2)


@pytest.mark.parametrize("task", TASKS)
def test_the_weights_are_those_of_network_def(
    trained_task: Trained, task: str, run_config: RunConfig, task_overrides: Overrides
) -> None:
    state = torch.load(trained_task(task).models / "model.pt", weights_only=True)
    keys = ("encoder", "encoder_options", "names", "image_size")
    inference = {key: task_overrides(task)[key] for key in keys}
    workflow = run_config([f"{task}/inference.json"], Path(), kind="infer", run=False, **inference)
    assert workflow.network_def.state_dict().keys() == state.keys()
    workflow.network_def.load_state_dict(state)


@pytest.mark.parametrize("task", TASKS)
def test_an_evaluation_leaves_scores_predictions_pictures_and_a_page(
    trained_task: Trained, task: str, tmp_path: Path, run_config: RunConfig, task_overrides: Overrides
) -> None:
    run = trained_task(task)
    run_config(
        [f"{task}/train.json", f"{task}/evaluate.json"], run.root, **task_overrides(task), frozen=False,
        output_dir=str(tmp_path),
    )  # fmt: skip
    summary = json.loads((tmp_path / "evaluation.json").read_text())
    table = pd.read_parquet(tmp_path / "predictions.parquet")
    assert set(table["split"]) == {"val", "test"}
    assert summary["images"] == len(table)
    assert summary["metrics"]
    assert any((tmp_path / "pictures").iterdir())
    page = (tmp_path / "report.html").read_text()
    assert "<img" in page
    assert "http" not in page.replace("http://www.w3.org", "")


def test_an_evaluation_on_another_data_set_takes_what_corresponds_and_says_the_rest(
    trained_task: Trained, tmp_path: Path, prepared: Path, run_config: RunConfig, task_overrides: Overrides
) -> None:
    """Its findings are spelt in another way and some are lacking; the weights have seen a set that holds its images."""
    other = tmp_path / "other"
    shutil.copytree(prepared, other)
    overrides = task_overrides("classification")
    spelt, lacking = overrides["names"][0], overrides["names"][1]
    table = pd.read_parquet(other / "studies.parquet")
    table = table.rename(columns={f"label_{spelt}": f"label_{spelt.upper()}"}).drop(columns=f"label_{lacking}")
    table.to_parquet(other / "studies.parquet", index=False)
    record = json.loads((other / "prepare.json").read_text())
    (other / "prepare.json").write_text(json.dumps(record | {"facts": {"name": "rsna", "contains": ["nih"]}}))
    run = trained_task("classification")
    models = tmp_path / "models"
    shutil.copytree(run.models, models)
    card = json.loads((models / "model.json").read_text())
    card["settings"]["data"] = ["nih"]
    (models / "model.json").write_text(json.dumps(card))
    files = ["classification/train.json", "classification/evaluate.json"]
    changed = overrides | {"dataset_dir": str(other), "ckpt_dir": str(models)}
    run_config(files, run.root, **changed, frozen=False, output_dir=str(tmp_path / "report"))
    summary = json.loads((tmp_path / "report" / "evaluation.json").read_text())
    run_config(files, run.root, **overrides, frozen=False, output_dir=str(tmp_path / "own"))
    own = json.loads((tmp_path / "own" / "evaluation.json").read_text())
    assert summary["metrics"][f"auroc_{spelt}"] == own["metrics"][f"auroc_{spelt}"]
    assert f"auroc_{lacking}" not in summary["metrics"]
    notes = " ".join(summary["notes"])
    assert f"Not scored, and left out of the macro average: {lacking}" in notes
    assert "trained on nih, and the images of rsna" in notes


@pytest.mark.parametrize("task", TASKS)
def test_inference_on_dicom_files_reports_what_it_cannot_read(
    trained_task: Trained,
    task: str,
    tmp_path: Path,
    demo_folder: Path,
    run_config: RunConfig,
    task_overrides: Overrides,
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    files = sorted((demo_folder / "dicom").iterdir())[:3]
    for index, file in enumerate(files):
        (folder / f"{index}.dcm").write_bytes(file.read_bytes())
    (folder / "broken.dcm").write_bytes(files[0].read_bytes()[:3000])
    keys = ("encoder", "encoder_options", "names", "image_size", "precision", "batch_size", "num_workers")
    run = trained_task(task)
    run_config(
        [f"{task}/inference.json"], run.root, kind="infer", dataset_dir=str(folder), output_dir=str(tmp_path / "out"),
        **{key: task_overrides(task)[key] for key in keys},
    )  # fmt: skip
    result = json.loads((tmp_path / "out" / "predictions.json").read_text())
    assert result["counts"]["images"] == 4
    assert result["counts"]["predicted"] == 3
    assert result["names"] == task_overrides(task)["names"]


@pytest.mark.parametrize("task", TASKS)
def test_every_property_is_there(
    trained_task: Trained, task: str, run_config: RunConfig, task_overrides: Overrides, demo_folder: Path
) -> None:
    root = trained_task(task).root
    train = run_config([f"{task}/train.json"], root, run=False, **task_overrides(task))
    assert train.check_properties() == []
    assert isinstance(train.trainer, SupervisedTrainer)
    assert isinstance(train.evaluator, SupervisedEvaluator)
    keys = ("encoder", "encoder_options", "names", "image_size")
    few = {key: task_overrides(task)[key] for key in keys} | {"dataset_dir": str(demo_folder / "dicom")}
    assert run_config([f"{task}/inference.json"], root, kind="infer", run=False, **few).check_properties() == []


@pytest.mark.parametrize("task", TASKS)
def test_a_stopped_run_that_goes_on_ends_with_the_same_weights(
    trained_task: Trained, task: str, tmp_path: Path, run_config: RunConfig, task_overrides: Overrides
) -> None:
    """Cut off at the start of the second epoch; what goes on from the checkpoint is the same run, to the bit."""
    settings = task_overrides(task) | {"frozen": False, "save_seconds": 0, "run_name": f"{task} resumed"}
    first = run_config([f"{task}/train.json"], tmp_path, run=False, **settings)
    first.trainer.add_event_handler(Events.EPOCH_STARTED(once=2), _cut)
    with pytest.raises(RuntimeError):  # MONAI's, around it
        first.run()
    run_config([f"{task}/train.json"], tmp_path, **settings, resume=True)
    states = [
        torch.load(folder / "checkpoint.pt", weights_only=True)["network"]
        for folder in (tmp_path / "models" / task, trained_task(task).models)
    ]
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


def _cut(engine: Any) -> None:
    raise InterruptedError("the machine went away")


def test_a_probe_on_cached_features_is_the_probe_on_images(
    tmp_path: Path, run_config: RunConfig, task_overrides: Overrides
) -> None:
    """The same head comes out whether the frozen encoder looks once or at every step."""
    settings = task_overrides("classification") | {"augment": False, "standardize": False, "epochs": 2}
    run_config(["classification/train.json"], tmp_path / "cached", **settings)
    run_config(["classification/train.json"], tmp_path / "looking", **settings, **{"cache_features#enabled": False})
    heads = [
        torch.load(tmp_path / kind / "models/classification/model.pt", weights_only=True)
        for kind in ("cached", "looking")
    ]
    assert any(not torch.equal(heads[0][key], torch.zeros_like(heads[0][key])) for key in heads[0] if "head" in key)
    for key in heads[0]:
        torch.testing.assert_close(heads[0][key], heads[1][key], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("task", TASKS)
def test_a_frozen_encoder_stays_as_it_was(
    trained: SimpleNamespace, task: str, tmp_path: Path, run_config: RunConfig, task_overrides: Overrides
) -> None:
    """The pre-training's own file goes in, and comes out within the task's weights, running statistics included."""
    weights = trained.models / "model.pt"
    settings = task_overrides(task) | {"epochs": 1, "encoder_weights": str(weights)}
    run_config([f"{task}/train.json"], tmp_path, **settings)
    before = torch.load(weights, weights_only=True)
    after = torch.load(tmp_path / "models" / task / "model.pt", weights_only=True)
    assert {key.removeprefix("encoder.body.") for key in after if key.startswith("encoder.body.")} == before.keys()
    assert all(torch.equal(after[f"encoder.body.{key}"], value) for key, value in before.items())


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"names": ["unicorn"]}, "unicorn"),
        ({"encoder_weights": "no/such/file.pt"}, "no/such/file.pt"),
        ({"encoder": "resnet1"}, "resnet1"),
        ({"image_size": 96}, "64"),
        ({"fold": 9}, "9"),
    ],
)
def test_a_wrong_setting_is_named(
    task: str, wrong: dict[str, Any], said: str, tmp_path: Path, run_config: RunConfig, task_overrides: Overrides
) -> None:
    from scripts.engine.workflow import explain

    with pytest.raises(Exception) as caught:
        run_config([f"{task}/train.json"], tmp_path, **task_overrides(task) | wrong)
    text = explain(caught.value)
    assert said in text
    assert len(text.splitlines()) <= 2


@pytest.mark.parametrize("task", TASKS)
def test_initialize_needs_no_data(task: str, tmp_path: Path, run_config: RunConfig) -> None:
    for file, kind in (("train", "train"), ("inference", "infer")):
        workflow = run_config([f"{task}/{file}.json"], tmp_path / "no", kind=kind, run=False, dataset_dir="nowhere")
        workflow.initialize()
        assert workflow.network_def is not None
    assert not (tmp_path / "no").exists()
