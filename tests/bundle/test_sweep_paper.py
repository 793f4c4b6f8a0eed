"""Our numbers beside the published ones: what was not run stays empty, and every value has its source."""

from __future__ import annotations

import pandas as pd
import pytest
from rich.console import Console

from bundle.sweep.aggregate import aggregate
from bundle.sweep.paper import PROTOCOLS, PUBLISHED, paper_markdown, paper_tables, print_paper
from bundle.sweep.plan import Init, Plan
from scripts.tasks.registry import TASKS
from tests.bundle.sweep_cells import fake_record


@pytest.fixture(scope="module")
def frame(tmp_path_factory):
    """A sweep of 1 and 100 %, frozen alone, whose 10 % was not run."""
    plan = Plan("data", tmp_path_factory.mktemp("sweep"), inits=(Init("random"), Init("ours")), modes=("frozen",))
    cells = [cell for cell in plan.cells() if cell.seed < 2]
    return aggregate(cells, {cell: fake_record(cell) for cell in cells if cell.fraction != 10}, resamples=20)


def table_of(frame, title, benchmark=None):
    return next(table for table in paper_tables(frame, benchmark) if table.title == title)


def test_every_published_value_is_a_number_with_a_source_in_a_known_protocol():
    published = pd.read_csv(PUBLISHED, keep_default_na=False)
    columns = ["protocol", "benchmark", "task", "metric", "method", "fraction", "value", "source", "flag"]
    assert list(published) == columns
    assert set(published["fraction"]) == {1, 10, 100} and published["value"].between(0, 100).all()
    assert (published["source"] != "").all()
    assert set(published["flag"]) <= {"", "secondary", "recalled", "inferred"}
    assert set(published["protocol"]) == set(PROTOCOLS)
    assert set(zip(published["task"], published["metric"])) == {
        (task.name, metric) for task in TASKS.values() for metric in task.published
    }
    assert not published.duplicated(["protocol", "benchmark", "task", "metric", "method", "fraction"]).any()


@pytest.mark.parametrize(
    ("title", "method", "benchmark", "cell"),
    [
        ("Segmentation, Dice (%), protocol MGCA", "M-FLAG", "RSNA", "64.6 / 69.7 / 70.5"),
        ("Segmentation, Dice (%), protocol MGCA", "all-empty masks *", "RSNA", "77.5* / 77.5* / 77.5*"),
        ("Detection, mAP (%), protocol MGCA", "M-FLAG", "Object-CXR", "– / 12.4 / 19.3"),
        ("Classification, AUROC (%), protocol CheXclusion", "M-FLAG", "CheXpert", "64.4† / 71.4‡ / 78.1‡"),
        ("Classification, AUROC (%), protocol BenchX", "M-FLAG", "NIH", "66.5 / 78.4 / 84.0"),
        ("Segmentation, Dice (%), protocol Adaptor", "Adaptor DINOv2-S + CXR-BERT", "SIIM", "57.4 / 66.9 / 71.9"),
    ],
)
def test_published_cells_are_the_papers(title, method, benchmark, cell, frame):
    table = table_of(frame, title)
    line = next(line for line in table.lines if line[0] == method)
    assert line[1 + list(table.benchmarks).index(benchmark)] == cell


def test_ours_stand_in_the_named_benchmark_alone_and_only_where_they_were_run(frame):
    table = table_of(frame, "Segmentation, Dice (%), protocol MGCA", "RSNA")
    assert list(table.benchmarks) == ["SIIM", "RSNA"]
    ours = {line[0]: line[1:] for line in table.lines[table.published :]}
    assert ours["ours: ours, frozen"] == ("–", "45.0 ± 0.0 / – / 69.0 ± 0.0", "this sweep")
    assert ours["ours: all-empty masks"] == ("–", "25.0 / – / 25.0", "this sweep")
    assert not any("tuned" in name for name in ours)
    assert {t.title for t in paper_tables(frame, "Object-CXR")} == {
        "Detection, mAP (%), protocol MGCA",
        "Segmentation, mDice (%), protocol BenchX",
    }


def test_without_a_benchmark_ours_fill_no_published_column(frame):
    table = table_of(frame, "Detection, mAP (%), protocol MGCA")
    assert list(table.benchmarks) == ["RSNA", "Object-CXR", "this data"]
    for line in table.lines[table.published :]:
        assert line[1:3] == ("–", "–")
        assert line[3] == ("20.0 ± 0.0 / – / 20.0 ± 0.0" if line[0].endswith("all images") else "–")


def test_a_metric_that_we_do_not_compute_has_no_line_of_ours(frame):
    table = table_of(frame, "Segmentation, mDice (%), protocol BenchX")
    assert len(table.lines) == table.published


def test_what_differs_is_said_in_print_and_in_markdown(frame):
    tables = paper_tables(frame, "RSNA")
    console = Console(width=160, record=True, quiet=False, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123
    print_paper(tables, console)
    printed, written = console.export_text(), paper_markdown(tables)
    for text in (printed, written):
        assert "M-FLAG" in text and "ours: ours, frozen" in text and "inferred from the protocol" in text
    assert "What differs: frozen encoder, one seed" in written
    assert written.count("| method |") == len(tables)
