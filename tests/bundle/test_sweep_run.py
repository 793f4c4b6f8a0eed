"""One real sweep: cells trained and evaluated by MONAI's workflows, on the prepared demo."""

from __future__ import annotations

import json

import pandas as pd
import pytest
import torch
from mlflow import MlflowClient

from bundle.__main__ import main
from scripts.encoders.factory import feature_encoder

SMALL = ("resnet10", {"widen_factor": 0.25})


@pytest.fixture
def command(prepared, tmp_path, monkeypatch, project):
    """Two initialisations of a thin ResNet-10, frozen, one epoch."""
    monkeypatch.chdir(project)
    torch.manual_seed(9)  # another than the seeds of the cells
    torch.save(feature_encoder(SMALL[0], **SMALL[1]).body.state_dict(), tmp_path / "ours.pt")
    settings = {
        "encoder": SMALL[0], "encoder_options": SMALL[1], "image_size": 64, "epochs": 1, "batch_size": 6,
        "precision": "float32", "num_workers": 0, "names": ["cardiomegaly", "effusion"], "stop_on": "negative_loss",
    }  # fmt: skip
    sets = [part for key, value in settings.items() for part in ("--set", f"{key}={json.dumps(value)}")]
    return [
        "sweep", str(prepared), str(tmp_path / "out"), "--init", f"ours={tmp_path / 'ours.pt'}",
        "--tasks", "classification", "--modes", "frozen", "--fractions", "100", "--seeds", "0", "--resamples", "50",
        "--devices", "cpu", *sets,
    ]  # fmt: skip


def test_a_real_sweep_trains_scores_tracks_and_goes_on(command, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(command) == 0, capsys.readouterr().err
    frame = pd.read_csv(out / "sweep.csv")
    means = frame[(frame["kind"] == "mean")].set_index("init")
    assert means["value"].between(0, 1).all() and means.loc["ours", "p"] > 0
    assert {"auroc", "accuracy"} <= set(frame.loc[frame["kind"] == "other mean", "metric"])
    # Two encoders, of each the features of the training images, of the validation's, and of those tested besides.
    assert len(list((out / "features").glob("*/*.ids.npy"))) == 6
    cell = out / "cells" / "classification" / "ours" / "frozen" / "100pct_seed0"
    record = json.loads((cell / "cell.json").read_text())
    assert record["status"] == "done" and set(record["training"]["positives"]) == {"cardiomegaly", "effusion"}
    assert not (cell / "models" / "checkpoint.pt").exists()
    assert "batch" in (cell / "log.txt").read_text() and "batch" not in capsys.readouterr().out

    parent = json.loads((out / "sweep.json").read_text())["parent_run"]
    client = MlflowClient(f"sqlite:///{out / 'mlruns.db'}")
    runs = client.search_runs([client.get_experiment_by_name("cxr_sweep").experiment_id])
    children = {run.info.run_name: run for run in runs if run.data.tags.get("mlflow.parentRunId") == parent}
    assert set(children) == {f"classification {init} frozen 100 % seed 0" for init in ("random", "ours")}
    assert "test_auroc" in children["classification ours frozen 100 % seed 0"].data.metrics

    # Cut off between training and evaluation, the cell is not trained a second time.
    (cell / "cell.json").unlink()
    before = (cell / "models" / "model.pt").stat().st_mtime_ns
    assert main(command) == 0
    assert (cell / "models" / "model.pt").stat().st_mtime_ns == before
    again = pd.read_csv(out / "sweep.csv")
    pd.testing.assert_frame_equal(frame.drop(columns="seconds"), again.drop(columns="seconds"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--set", "epcohs=3"], "--set epcohs: configs/classification has no such id"),
        (["--set", "names=Edema"], "write a list"),
        (["--set", 'names=["Edema"]'], "the data set has no Edema"),
    ],
)
def test_what_no_cell_could_run_with_is_said_at_the_start(change, message, command, tmp_path, capsys):
    assert main([*command, *change]) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("task", "names", "expected"),
    [
        ("classification", ["cardiomegaly", "effusion"], "label_"),
        ("segmentation", ["lungs", "heart"], "mask_"),
        ("detection", ["opacity", "nodule"], "boxes"),
    ],
)
def test_positives_are_those_of_the_items_that_are_trained_on(task, names, expected, prepared, monkeypatch, project):
    from monai.bundle import ConfigWorkflow

    from bundle.sweep.cell import training_facts
    from scripts.data.studies import read_studies
    from scripts.tasks.registry import TASKS

    monkeypatch.chdir(project)
    overrides = {"dataset_dir": str(prepared), "names": names, "fraction": 10, "image_size": 64}
    workflow = ConfigWorkflow(
        f"configs/{task}/train.json", f"configs/{task}/metadata.json", logging_file=False, **overrides
    )
    workflow.initialize()
    facts = training_facts(TASKS[task], workflow)
    table = read_studies(prepared)
    table = table[(table["exclude_reason"] == "") & (table["split"] == "train") & (table["fraction"] <= 10)]
    if expected == "label_":
        wanted = {name: int((table[f"label_{name}"] == 1).sum()) for name in names}
    elif expected == "mask_":
        wanted = {name: int((table[f"mask_{name}"].fillna("") != "").sum()) for name in names}
    else:
        wanted = {name: sum(name in (found or ()) for found in table["box_labels"]) for name in names}
    assert facts["names"] == names
    assert facts["training"]["positives"] == wanted
    assert facts["training"]["patients"] == table["patient_id"].nunique()
