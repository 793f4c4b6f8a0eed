"""Methods × encoders with one budget: what is planned, what is passed on to the tasks, and the table."""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from bundle.compare import add_arguments, main
from bundle.compare.plan import Encoder, read_budget, read_pairs
from bundle.jobs.record import BEGUN
from bundle.sweep.plan import read_settings
from scripts.errors import CxrError
from tests.bundle.comparison_cells import FakeComparison
from tests.bundle.sweep_cells import FakeWork

SET = ["--set", "pretraining:epochs=4", "--set", "pretraining:adaptor:learning_rate=0.001"]


@pytest.fixture
def out(tmp_path, monkeypatch, project):
    """Output folder, beside a data set and the folder of a vision model."""
    monkeypatch.chdir(project)
    return beside_data(tmp_path)


@pytest.fixture
def tracked(out, tracking_uri):
    """`out` with an empty database of MLflow, whose making takes longer than all cells."""
    return with_database(out, tracking_uri)


def with_database(out, tracking_uri):
    out.mkdir()
    shutil.copy(tracking_uri.removeprefix("sqlite:///"), out / "mlruns.db")
    return out


def beside_data(folder):
    (folder / "data").mkdir()
    (folder / "data" / "studies.parquet").write_bytes(b"rows")
    (folder / "vit").mkdir()
    (folder / "vit" / "config.json").write_text("{}")
    return folder / "out"


@pytest.fixture(scope="module")
def finished(tmp_path_factory, project, tracking_uri):
    """Folder of a comparison that is done."""
    out = with_database(beside_data(tmp_path_factory.mktemp("comparison")), tracking_uri)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project)
        assert compared(out, "--set", "epochs=7") == 0
    return out


def compared(out, *more, work=None, seeds="0,1", methods="mflag:resnet18,supervised:resnet18,adaptor:vit"):
    """Exit status of the verb, with cells that do not train."""
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    arguments = [
        str(out.parent / "data"), str(out), "--methods", methods, "--encoders", f"resnet18,{out.parent / 'vit'}",
        "--tasks", "classification", "--modes", "frozen", "--fractions", "10,100", "--seeds", seeds,
        "--resamples", "50", *SET, *more,
    ]  # fmt: skip
    return main(parser.parse_args(arguments), work or FakeComparison(FakeWork(out.parent / "log")))


def begun(out, method, encoder, seed):
    path = out / "pretraining" / method / encoder / f"seed{seed}" / BEGUN
    return json.loads(path.read_text())["made_from"]


def cells_of(out, init):
    paths = (out / "cells" / "classification" / init / "frozen").glob(f"*/{BEGUN}")
    return {path.parent.name: json.loads(path.read_text())["made_from"] for path in paths}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("resnet18", ("resnet18", "resnet18", "")),
        ("densenet121", ("densenet121", "densenet121", "")),
        ("{tmp}", ("vit", "{tmp}", "{tmp}")),
        ("mine={tmp}", ("mine", "{tmp}", "{tmp}")),
        ("microsoft/rad-dino@abc1", ("rad-dino", "microsoft/rad-dino@abc1", "microsoft/rad-dino@abc1")),
    ],
)
def test_what_an_encoder_may_be(text, expected, tmp_path):
    folder = tmp_path / "vit"
    folder.mkdir()
    assert Encoder.read(text.format(tmp=folder)) == Encoder(*(part.format(tmp=folder) for part in expected))


def test_each_method_meets_each_encoder_unless_it_names_one(monkeypatch, project):
    monkeypatch.chdir(project)
    pairs = read_pairs(["mflag", "convirt:b"], ["a=resnet18", "b=resnet50"])
    assert [(method, encoder.name) for method, encoder in pairs] == [("mflag", "a"), ("mflag", "b"), ("convirt", "b")]


def test_the_budget_is_train_jsons_or_the_one_that_is_set_for_all(monkeypatch, project):
    monkeypatch.chdir(project)
    train = json.loads(Path("configs/train.json").read_text())
    settings = read_settings(["pretraining:batch_size=32"], ["pretraining"])
    assert read_budget(settings) == {"epochs": train["epochs"], "batch_size": 32, "image_size": train["image_size"]}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--methods", "nothing"], "no configs/nothing.json"),
        (["--methods", "mflag:resnet34"], "resnet34 is none of --encoders"),
        (["--encoders", "a=resnet18,a=resnet34"], "each differently"),
        (["--encoders", "no/such/folder"], "no folder no/such/folder"),
        (["--set", "pretraining:adaptor:batch_size=8"], "one budget for all"),
        (["--set", "pretraining:seed=3"], "the sweep sets this id itself"),
        (["--init", "mine="], "say which of --encoders it is"),
        (["--probe-data", "nowhere"], "no data set at nowhere"),
        (["--folds"], "pre-training has seen most of them"),
        (["--methods", ""], "name at least one, such as mflag,convirt"),
    ],
)
def test_a_wrong_argument_is_said_before_anything_is_written(arguments, message, out):
    with pytest.raises(CxrError, match=message):
        compared(out, *arguments)
    assert not out.exists()


def test_an_id_that_a_method_does_not_have_is_known_at_the_start(out):
    from bundle.compare.study import ComparisonStudy

    parser = argparse.ArgumentParser()
    add_arguments(parser)
    arguments = [str(out.parent / "data"), str(out), "--methods", "mflag,convirt", "--encoders", "resnet18"]
    right, wrong = (
        ComparisonStudy(parser.parse_args([*arguments, "--set", f"pretraining:{setting}"]))
        for setting in ("mflag:lambda_offdiag=1", "lamda=1")
    )
    right.check_methods()
    with pytest.raises(CxrError, match=r"pretraining:lamda: the configuration of mflag with resnet18 has no such id"):
        wrong.check_methods()


def test_the_tasks_start_from_the_weights_of_their_own_seed(finished, monkeypatch, project):
    monkeypatch.chdir(project)
    out, vit = finished, str(finished.parent / "vit")
    mflag, adaptor = begun(out, "mflag", "resnet18", 1), begun(out, "adaptor", "vit", 0)
    train = json.loads(Path("configs/train.json").read_text())
    for made_from in (mflag, adaptor):  # whatever the overlay of the Adaptor says
        assert made_from["epochs"] == 4 and made_from["batch_size"] == train["batch_size"]
    assert (mflag["encoder"], mflag["encoder_weights"], mflag["configs"]) == ("resnet18", None, {})
    assert (adaptor["encoder"], adaptor["encoder_weights"]) == (vit, vit) and adaptor["learning_rate"] == 0.001
    assert list(adaptor["configs"]) == ["configs/encoder.json", "configs/adaptor.json"]
    assert adaptor["encoder weights"] != ""

    assert {path.name for path in (out / "cells" / "classification").iterdir()} == {
        "random-resnet18", "random-vit", "as_is-vit", "mflag-resnet18", "supervised-resnet18", "adaptor-vit"
    }  # fmt: skip
    cells = cells_of(out, "adaptor-vit")
    for seed in (0, 1):
        cell = cells[f"100pct_seed{seed}"]
        assert cell["encoder_weights"] == str(out / f"pretraining/adaptor/vit/seed{seed}/models/model.pt")
        assert (cell["encoder"], cell["encoder_options"], cell["epochs"]) == ("adaptor", {"body": vit}, 7)
        assert cell["image_size"] == train["image_size"]
    assert cells["100pct_seed0"]["adaptor-vit"] != cells["100pct_seed1"]["adaptor-vit"]
    assert cells_of(out, "as_is-vit")["100pct_seed0"]["encoder_weights"] == vit
    assert cells_of(out, "random-vit")["100pct_seed0"]["encoder_weights"] is None


def test_the_table_has_costs_scores_and_the_reason_of_what_is_empty(finished):
    out = finished
    frame = pd.read_csv(out / "comparison.csv").set_index("method")
    assert frame.loc["mflag-resnet18", "trained parameters"] == 33_483_840
    # 1 - 11,912,705 / 113,589,312, by hand
    assert frame.loc["adaptor-vit", "fewer trained parameters than MGCA-R50 (%)"] == pytest.approx(89.5125, abs=1e-3)
    assert frame.loc["mflag-resnet18", "seconds a step"] == 0.75  # median of .25 and 1.25
    assert frame.loc["adaptor-vit", "one-off seconds"] == 3.0  # only the first seed has paid
    assert frame.loc["mflag-resnet18", "zero-shot macro AUROC"] == pytest.approx(0.65)
    assert frame.loc["mflag-resnet18", "zero-shot macro AUROC, lo"] == pytest.approx(0.55)
    assert "no space" in frame.loc["supervised-resnet18", "zero-shot macro AUROC, note"]
    assert frame.loc["mflag-resnet18", ["R@5 image→report", "R@5 image→report, trivial"]].tolist() == [0.5, 0.25]
    assert frame["effective rank"].to_dict() | {"as_is-vit": 0} == {
        "mflag-resnet18": 12, "supervised-resnet18": 12, "adaptor-vit": 12, "random-resnet18": 5, "random-vit": 5,
        "as_is-vit": 0,
    }  # fmt: skip
    assert frame.loc["adaptor-vit", "collapsed (1 = a seed did), note"] == "from epoch 2 on"
    scored = [column for column in frame if column.startswith("classification macro AUROC, frozen, 100 %")]
    assert frame[scored[0]].notna().sum() == 6
    assert frame.loc["mflag-resnet18", f"{scored[0]}, note"].startswith("Δ")  # against random-resnet18
    means = pd.read_csv(out / "sweep.csv").query("kind == 'mean' and fraction == 100").set_index("init")
    for init, start in {
        "mflag-resnet18": "random-resnet18",
        "adaptor-vit": "as_is-vit",
        "as_is-vit": "random-vit",
    }.items():
        gain = means.loc[init, "value"] - means.loc[start, "value"]
        assert means.loc[init, "difference"] == pytest.approx(gain)
    assert {"comparison.md", "comparison.png", "comparison_geometry.png", "sweep.md"} <= {p.name for p in out.iterdir()}
    written = (out / "comparison.md").read_text()
    assert "33,483,840" in written and "MGCA-R50 113,589,312" in written


def test_a_failed_pre_training_costs_its_own_seed_and_is_run_again_alone(tracked, capsys):
    work = FakeComparison(FakeWork(tracked.parent / "log"), fail=("pre-training mflag resnet18 seed 1",))
    assert compared(tracked, work=work) == 1
    printed = capsys.readouterr().out
    assert "1 of 2 seeds" in printed and "failed: pre-training mflag resnet18 seed 1: diverged" in printed
    sweep = pd.read_csv(tracked / "sweep.csv")
    lost = sweep.query("kind == 'cell' and init == 'mflag-resnet18' and seed == 1")
    assert set(lost["status"]) == {"skipped"} and lost["note"].str.contains("diverged").all()
    before = (tracked.parent / "log").read_text().splitlines()
    assert compared(tracked, work=work) == 0
    again = [line.split(" on ")[0] for line in (tracked.parent / "log").read_text().splitlines()[len(before) :]]
    assert again == [
        "pre-training mflag resnet18 seed 1",
        "evaluation of mflag resnet18 seed 1",
        "classification mflag-resnet18 frozen 10 % seed 1",
        "classification mflag-resnet18 frozen 100 % seed 1",
    ]


def test_another_budget_is_another_comparison(tracked):
    assert compared(tracked, seeds="0") == 0
    with pytest.raises(CxrError, match=r"was made with other epochs \(4 → 5\).*Choose another output folder"):
        compared(tracked, "--set", "pretraining:epochs=5", seeds="0")


def test_probe_data_is_that_of_the_tasks_and_of_zero_shot(tracked):
    other = tracked.parent / "other"
    other.mkdir()
    (other / "studies.parquet").write_bytes(b"other rows")
    assert compared(tracked, "--probe-data", str(other), "--set", 'names=["edema"]', seeds="0") == 0
    assert begun(tracked, "mflag", "resnet18", 0)["dataset_dir"] == str(tracked.parent / "data")
    assert cells_of(tracked, "mflag-resnet18")["10pct_seed0"]["dataset_dir"] == str(other)
    folder = tracked / "pretraining" / "mflag" / "resnet18" / "seed0" / "evaluation"
    made = {path.name: json.loads((path / BEGUN).read_text())["made_from"] for path in folder.iterdir()}
    assert made["data"]["protocol"] == "split" and "labels" not in made["data"]
    assert (made["other"]["protocol"], made["other"]["labels"]) == ("5-fold", ["edema"])
