"""A sweep's cells, how they are run and taken up again, and what is made of them; training is left out."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from sklearn.metrics import roc_auc_score

from bundle import processes
from bundle.jobs import workers as worker
from bundle.jobs.progress import remaining_seconds
from bundle.jobs.record import Record, read_record
from bundle.sweep import add_arguments, main
from bundle.sweep.aggregate import aggregate
from bundle.sweep.figure import plot_sweep
from bundle.sweep.plan import Init, Plan, read_settings
from bundle.sweep.table import sweep_notes, sweep_rows
from scripts.errors import CxrError
from tests.bundle.sweep_cells import NAMES, FakeWork, fake_record, predictions, process_id, torch_threads

OURS = Init("ours", "m.pt")


def swept(out, *arguments, work=None):
    """Exit status of the verb, with cells that do not train."""
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    args = parser.parse_args([str(out.parent / "data"), str(out), *arguments])
    return main(args, work or FakeWork(out.parent / "log"))


@pytest.fixture
def out(tmp_path):
    """Output folder, beside a data set and two files of weights."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "studies.parquet").write_bytes(b"rows")
    (tmp_path / "ours.pt").write_bytes(b"weights")
    return tmp_path / "out"


def small(out, *more):
    """One task, two initialisations, two fractions, two seeds: eight cells."""
    return [
        "--tasks", "classification", "--modes", "frozen", "--fractions", "10,100", "--seeds", "0,1",
        "--init", f"ours={out.parent / 'ours.pt'}", "--resamples", "50", *more,
    ]  # fmt: skip


def lines(out):
    return (out.parent / "log").read_text().splitlines()


def finished(out, **plan):
    """Cells of a plan that are all done, and how they ended."""
    cells = Plan("data", out, **{"inits": (Init("random"), OURS), "seeds": (0, 1), **plan}).cells()
    return cells, {cell: fake_record(cell) for cell in cells}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("random=", Init("random")),
        ("ours={tmp}/m.pt", Init("ours", "{tmp}/m.pt")),
        ("vit={tmp}", Init("vit", "{tmp}", {"encoder": "{tmp}"})),
        ("hub=microsoft/rad-dino", Init("hub", "microsoft/rad-dino", {"encoder": "microsoft/rad-dino"})),
        ("big={tmp}/m.pt,image_size=384", Init("big", "{tmp}/m.pt", {"image_size": 384})),
        ("thin=,encoder_options={{'widen_factor': 0.5, 'a': 1}}",
         Init("thin", "", {"encoder_options": {"widen_factor": 0.5, "a": 1}})),
    ],
)  # fmt: skip
def test_what_an_initialisation_may_be(text, expected, tmp_path):
    (tmp_path / "m.pt").touch()
    overrides = {k: v.format(tmp=tmp_path) if isinstance(v, str) else v for k, v in expected.overrides.items()}
    wanted = Init(expected.name, expected.weights.format(tmp=tmp_path), overrides)
    assert Init.read(text.format(tmp=tmp_path)) == wanted


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--init", "ours=nowhere.pt"], "no weights at nowhere.pt"),
        (["--init", "ours"], "write NAME=WEIGHTS"),
        (["--init", "a=", "--init", "a="], "same name"),
        (["--set", "classification"], "write KEY=VALUE"),
        (["--set", "detectoin:epochs=3"], "write KEY=VALUE"),
        (["--set", "seed=3"], "the sweep sets this id itself"),
        (["--config", "nowhere.json"], "no such file"),
        (["--paper", "Atlantis"], r"--paper Atlantis: .*RSNA"),
    ],
)
def test_a_wrong_argument_is_said_before_anything_is_written(arguments, message, out):
    with pytest.raises(CxrError, match=message):
        swept(out, *arguments)
    assert not out.exists()


def test_a_setting_holds_within_its_scope_and_the_last_one_wins(tmp_path):
    texts = ["epochs=9", "detection:epochs=7", "tuned:1%:epochs=5", "ours:names=['a','b']", "x#y=null", "flag=true"]
    settings = read_settings(texts, ["detection", "tuned", "1%", "ours"])
    cells = Plan("data", tmp_path, inits=(Init("random"), OURS), seeds=(0,), settings=settings).cells()
    epochs = {(cell.task, cell.mode, cell.fraction): cell.overrides["epochs"] for cell in cells}
    assert epochs["classification", "frozen", 1] == 9
    assert epochs["detection", "frozen", 100] == 7
    assert epochs["detection", "tuned", 1] == 5
    assert {cell.init for cell in cells if "names" in cell.overrides} == {"ours"}
    assert cells[0].overrides["x#y"] is None and cells[0].overrides["flag"] is True


def test_the_encoder_that_an_initialisation_is_holds_against_a_setting_for_all(tmp_path):
    vit = Init("vit", "weights/vit", {"encoder": "weights/vit"})
    settings = read_settings(["encoder=resnet18", "vit:encoder=other/vit"], ["vit"])
    for given, expected in ((settings[:1], "weights/vit"), (settings, "other/vit")):
        cells = Plan("data", tmp_path, inits=(Init("random"), vit), settings=given).cells()
        found = {cell.init: cell.overrides["encoder"] for cell in cells}
        assert found == {"random": "resnet18", "vit": expected}


def test_cells_are_the_whole_product_each_in_a_folder_of_its_own(tmp_path):
    cells = Plan("data", tmp_path, inits=(Init("random"), OURS), folds=True).cells()
    assert (
        len(cells)
        == len({cell.folder for cell in cells})
        == len({cell.name for cell in cells})
        == 3 * 3 * 2 * 2 * 3 * 5
    )
    assert {cell.seed for cell in cells[: len(cells) // 3]} == {0}
    one = next(cell for cell in cells if cell.init == "ours" and cell.mode == "tuned" and cell.fold == 4)
    assert (one.overrides["frozen"], one.overrides["encoder_weights"], one.overrides["fold"]) == (False, "m.pt", 4)


def test_a_sweep_leaves_table_figure_and_a_parent_run(out, capsys):
    assert swept(out, *small(out, "--workers", "2")) == 0
    assert len(lines(out)) == 8
    frame = pd.read_csv(out / "sweep.csv")
    assert (frame["kind"] == "cell").sum() == 8 and (frame["kind"] == "mean").sum() == 4
    assert {"sweep.md", "sweep.png"} <= {path.name for path in out.iterdir()}
    printed = capsys.readouterr().out
    assert "[8/8]" in printed and "left" in printed and "8 cells, 0 failed" in printed

    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{out / 'mlruns.db'}")
    run = client.get_run(json.loads((out / "sweep.json").read_text())["parent_run"])
    assert run.info.status == "FINISHED"
    assert run.data.metrics["classification/ours/frozen/100pct"] == pytest.approx(
        frame.query("kind == 'mean' and init == 'ours' and fraction == 100")["value"].item()
    )
    assert {file.path for file in client.list_artifacts(run.info.run_id)} == {"sweep.csv", "sweep.md", "sweep.png"}


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_failed_and_killed_cells_are_recorded_and_only_they_are_run_again(out, capsys):
    work = FakeWork(out.parent / "log", fail=("ours frozen 10 % seed 0",), kill=("random frozen 100 % seed 1",))
    assert swept(out, *small(out), work=work) == 1
    assert len(lines(out)) == 8
    printed = capsys.readouterr().out
    assert "failed: out of luck" in printed and "its process ended: SIGKILL" in printed
    assert "1 of 2 seeds" in printed
    assert swept(out, *small(out), work=work) == 0
    again = lines(out)[8:]
    assert sorted(line.split(" on ")[0] for line in again) == [
        "classification ours frozen 10 % seed 0",
        "classification random frozen 100 % seed 1",
    ]
    assert swept(out, *small(out), work=work) == 0
    assert len(lines(out)) == 10
    # More of something is the same sweep.
    assert swept(out, *small(out), "--seeds", "0,1,2", work=work) == 0
    assert len(lines(out)) == 14


def test_workers_take_no_more_threads_than_the_machine_s_user_grants(monkeypatch):
    monkeypatch.setattr(processes, "METHOD", "spawn")  # a fork server keeps the environment that it was started with
    monkeypatch.setattr(worker, "_cores", lambda: 4)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert [result for _, result, _ in worker.run_on(["cpu"], torch_threads, [0], "torch")] == [None, 1]


@pytest.mark.parametrize(("fresh", "processes"), [(False, 1), (True, 3)])
def test_a_task_has_a_process_of_its_own_where_its_memory_counts(fresh, processes):
    done = [pid for _, pid, _ in worker.run_on(["cpu"], process_id, [0, 1, 2], "torch", fresh) if pid is not None]
    assert len(done) == 3
    assert len(set(done)) == processes


def test_a_sweep_whose_cells_all_fail_alike_ends_early(out):
    work = FakeWork(out.parent / "log", fail=("seed",))
    with pytest.raises(CxrError, match="the first 3 cells failed alike: out of luck"):
        swept(out, *small(out), work=work)
    assert len(lines(out)) in (3, 4)  # another may have been begun


def test_done_cells_are_not_taken_for_those_of_another_sweep(out):
    assert swept(out, *small(out)) == 0
    refused = r"was made with other .*Choose another output folder"
    with pytest.raises(CxrError, match=refused):
        swept(out, *small(out), "--set", "epochs=3")
    for name in ("data/studies.parquet", "ours.pt"):
        before = (out.parent / name).read_bytes()
        (out.parent / name).write_bytes(b"others")
        with pytest.raises(CxrError, match=refused):
            swept(out, *small(out))
        (out.parent / name).write_bytes(before)
    assert len(lines(out)) == 8


def test_two_sweeps_do_not_share_a_folder(out):
    from filelock import FileLock

    out.mkdir()
    with FileLock(out / ".lock"), pytest.raises(CxrError, match="another sweep is running"):
        swept(out, *small(out))


def test_mean_over_seeds_and_paired_difference_agree_with_the_cells(tmp_path):
    cells, ended = finished(tmp_path, tasks=("classification",), modes=("frozen",), fractions=(100,))
    frame = aggregate(cells, ended, resamples=200)
    expected = {}
    for init in ("random", "ours"):
        scores = []
        for cell in cells:
            test = predictions(cell).query("split == 'test'")
            if cell.init == init:
                scores.append(np.mean([roc_auc_score(test[f"label_{n}"], test[f"logit_{n}"]) for n in NAMES]))
        row = frame.query(f"kind == 'mean' and init == '{init}'").iloc[0]
        assert row["value"] == pytest.approx(np.mean(scores))
        assert row["seed_sd"] == pytest.approx(np.std(scores, ddof=1))
        assert row["lo"] < row["value"] < row["hi"]
        assert (row["test_images"], row["test_patients"], row["trivial"]) == (96, 48, 0.5)
        expected[init] = row["value"]
    ours = frame.query("kind == 'mean' and init == 'ours'").iloc[0]
    assert ours["difference"] == pytest.approx(expected["ours"] - expected["random"])
    assert ours["difference_lo"] < ours["difference"] < ours["difference_hi"] and 0 < ours["p"] < 0.05
    assert np.isnan(frame.query("kind == 'mean' and init == 'random'")["p"].item())


def test_a_mean_over_fewer_seeds_says_so(tmp_path):
    cells, ended = finished(tmp_path, tasks=("classification",), modes=("frozen",), fractions=(100,))
    lost, kept = (cell for cell in cells if cell.init == "ours")
    ended[lost] = replace(ended[lost], metrics={**ended[lost].metrics, "auroc": float("nan")})
    frame = aggregate(cells, ended, resamples=50)
    row = frame.query("kind == 'other mean' and init == 'ours' and metric == 'auroc'").iloc[0]
    assert row["value"] == ended[kept].metrics["auroc"]
    assert (row["seeds"], row["note"]) == (1, "no value in 1 of 2 cells")
    whole = frame.query("kind == 'other mean' and init == 'random' and metric == 'auroc'").iloc[0]
    assert (whole["seeds"], whole["note"]) == (2, "")


def test_folds_are_pooled_by_rank_so_that_their_scales_do_not_matter(tmp_path):
    """The fake folds speak on scales that are shifted by 10 each: pooled as they are, the AUROC would be near 0.5."""
    cells, ended = finished(tmp_path, tasks=("classification",), modes=("frozen",), fractions=(100,), folds=True)
    row = aggregate(cells, ended, resamples=50).query("kind == 'mean' and init == 'ours'").iloc[0]
    assert (row["test_images"], row["test_patients"]) == (120, 60)
    within = [fake_auroc(cell) for cell in cells if cell.init == "ours"]
    assert row["value"] == pytest.approx(np.mean(within), abs=0.02)
    # A seed with a fold missing is left out as a whole.
    del ended[next(cell for cell in cells if cell.init == "ours" and cell.seed == 1)]
    row = aggregate(cells, ended, resamples=50).query("kind == 'mean' and init == 'ours'").iloc[0]
    assert row["seeds"] == 1 and "1 of 2 seeds" in row["note"]


def fake_auroc(cell):
    test = predictions(cell).query("split == 'test'")
    return np.mean([roc_auc_score(test[f"label_{name}"], test[f"logit_{name}"]) for name in NAMES])


@pytest.mark.parametrize("task", ["classification", "segmentation", "detection"])
def test_a_name_without_a_positive_to_train_on_is_said_and_not_scored(task, tmp_path):
    cells, _ = finished(tmp_path, tasks=(task,), modes=("frozen",), fractions=(1, 100), seeds=(0,))
    ended = {cell: fake_record(cell, no_positive=("nodule",)) for cell in cells}
    frame = aggregate(cells, ended, resamples=50)
    few, all_ = (frame.query(f"kind == 'mean' and init == 'ours' and fraction == {f}").iloc[0] for f in (1, 100))
    assert few["names"] == "edema" and all_["names"] == "edema, nodule"
    assert "nodule not scored: no positive among the training images" in few["note"]
    assert "only 5 training images" in few["note"] and all_["note"] == ""
    assert any("nodule not scored" in note and "ours frozen" in note for note in sweep_notes(frame))


def test_what_was_not_run_is_no_number(tmp_path):
    cells, ended = finished(tmp_path, tasks=("classification",), modes=("frozen",), fractions=(1, 100), seeds=(0,))
    for cell in cells:
        if cell.fraction == 1:
            ended[cell] = Record("skipped", "none of the 2 training images is positive for anything")
        elif cell.init == "ours":
            del ended[cell]
    frame = aggregate(cells, ended, resamples=50)
    first, second = sweep_rows(frame)
    assert first.cell("ours") == "not scored: none of the 2 training images is positive for anything"
    assert second.cell("ours") == "not scored: not run yet"
    assert second.scores["random"].value is not None
    assert plot_sweep(frame, tmp_path / "sweep.png").stat().st_size > 10_000


def test_the_figure_has_a_panel_a_task_and_mode_and_marks_means_over_fewer_names(tmp_path, monkeypatch):
    drawn: list[Figure] = []
    save = Figure.savefig

    def keep(self, *args, **kwargs):
        drawn.append(self)
        save(self, *args, **kwargs)

    monkeypatch.setattr(Figure, "savefig", keep)
    cells, _ = finished(tmp_path, seeds=(0,))
    ended = {cell: fake_record(cell, no_positive=("nodule",)) for cell in cells}
    path = plot_sweep(aggregate(cells, ended, resamples=20), tmp_path / "sweep.png")
    assert path.stat().st_size > 50_000
    assert len(drawn[0].axes) == 6
    assert drawn[0].axes[0].get_xscale() == "log"
    legend = [text.get_text() for text in drawn[0].legends[0].get_texts()]
    assert legend[:2] == ["random", "ours"] and any("hollow" in text for text in legend)


def test_the_estimate_takes_the_time_of_like_cells(tmp_path):
    cells = Plan("data", tmp_path, tasks=("classification",), seeds=(0, 1)).cells()
    ended = {cell: Record("done", seconds=cell.fraction) for cell in cells if cell.seed == 0}
    left = [cell for cell in cells if cell.seed == 1]
    assert remaining_seconds(left, ended, workers=2) == pytest.approx(2 * (1 + 10 + 100) / 2)
    assert remaining_seconds(left, {}, workers=2) is None


def test_a_torn_or_changed_record_is_no_result(tmp_path):
    cell = Plan("data", tmp_path, tasks=("classification",)).cells()[0]
    assert read_record(cell) is None
    cell.folder.mkdir(parents=True)
    (cell.folder / "cell.json").write_text('{"status": "do')
    with pytest.raises(CxrError, match="is damaged"):
        read_record(cell)


def test_an_attempt_that_was_cut_off_goes_on_and_one_that_failed_starts_anew(tmp_path):
    from bundle.jobs.record import begin, note, write_record

    cell = Plan("data", tmp_path, tasks=("classification",)).cells()[0]
    assert begin(cell) == {"trained": False}
    checkpoint = cell.folder / "checkpoint.pt"
    checkpoint.touch()
    note(cell, {"trained": True})
    assert begin(cell)["trained"] and checkpoint.exists()
    write_record(cell, Record("died", "its process ended: SIGKILL"))
    assert begin(cell)["trained"] and checkpoint.exists()
    write_record(cell, Record("failed", "diverged"))
    assert begin(cell) == {"trained": False} and not checkpoint.exists()
    checkpoint.touch()
    other = replace(cell, overrides={**cell.overrides, "epochs": 3})
    assert begin(other) == {"trained": False} and not checkpoint.exists()
