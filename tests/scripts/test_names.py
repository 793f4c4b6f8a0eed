"""Names of findings as keys of MLflow and names of files."""

from __future__ import annotations

from itertools import combinations, product
from pathlib import Path, PureWindowsPath

import pytest
from mlflow import MlflowClient
from mlflow.utils.validation import _validate_metric_name

from scripts.engine.tracked_values import log_values
from scripts.names import file_parts, file_stem, is_folder_name, tracking_key

FINDINGS = [
    "Mass (>3 cm)", "Mass (<3 cm)", "Mass _3 cm_", "COVID-19 (suspected)", "a/b", "a", "a_b", "A, B+C", "=SUM(1)", "..",
    ".", "/a", "a/", "a//b", " a", "a ", "a:b", "", "x\n", "Épanchement", "肺炎", "%", "x" * 300, "x" * 299 + "y",
]  # fmt: skip


@pytest.mark.parametrize("windows", [False, True])
def test_mlflow_takes_every_key(monkeypatch: pytest.MonkeyPatch, windows: bool) -> None:
    monkeypatch.setattr("mlflow.utils.validation.is_windows", lambda: windows)
    for name in FINDINGS:
        for key in (tracking_key(name), tracking_key(f"val_auroc_{name}"), tracking_key("task", name, "1pct")):
            _validate_metric_name(key)
            assert len(key) <= 250 and not key.endswith("\n")


def test_what_fits_stays_as_it_is() -> None:
    for name in ("val_auroc_No Finding", "COVID-19", "loss", "Épanchement", "val_auroc_a_"):
        assert tracking_key(name) == name
    assert tracking_key("classification", "ours", "linear", "1pct") == "classification/ours/linear/1pct"


def test_a_run_has_each_number_under_a_key_of_its_own(tracking_uri: str) -> None:
    client = MlflowClient(tracking_uri)
    run = client.create_run(client.create_experiment("names")).info.run_id
    values = {f"val_auroc_{name}": float(i) for i, name in enumerate(FINDINGS)}
    for step in (1, 2):
        log_values(client, run, values, step=step)
    log_values(client, run, params={name: i for i, name in enumerate(FINDINGS)}, tags={"Mass (>3 cm)": 1})
    found = client.get_run(run).data
    assert sorted(found.metrics.values()) == sorted(values.values())
    assert len(found.params) == len(FINDINGS)
    assert found.tags["Mass _3 cm-" + tracking_key("Mass (>3 cm)").rpartition("-")[2]] == "1"
    assert [m.step for m in client.get_metric_history(run, tracking_key("val_auroc_A, B+C"))] == [1, 2]


def test_no_key_is_the_folder_of_another() -> None:
    """MLflow's file store keeps a metric as a file and takes `/` for a folder: `a` and `a/b` exclude each other."""
    for one, other in combinations([tracking_key(f"val_{name}") for name in FINDINGS], 2):
        assert not Path(one).is_relative_to(other) and not Path(other).is_relative_to(one)


def test_names_of_files_fit_every_system() -> None:
    names = [*FINDINGS, "con", "NUL.txt", "COM1", "lpt9.a", "a.", "..", ".hidden", "ä" * 200, "aux", "edema", "Edema"]
    stems = file_parts(list(dict.fromkeys(names)))
    assert len({stem.casefold() for stem in stems}) == len(set(names))
    for stem in stems:
        assert 0 < len(stem) <= 100 and stem.isascii() and set(stem) <= set("-_.") | set(filter(str.isalnum, stem))
        assert not PureWindowsPath(f"{stem}.png").is_reserved() and stem[0] not in "-." and stem[-1] != "."
    assert file_stem("0f3a.1-b_c") == "0f3a.1-b_c"


def test_two_parts_never_become_the_file_of_two_others() -> None:
    """`p1` with `left_lung` and `p1_left` with `lung` shared one file."""
    parts = ["p1", "p1_left", "left_lung", "lung", "a_", "_a", "a", "a__b", "b", "left", "p1__left", "Mass (>3 cm)"]
    pairs = list(product(parts, repeat=2))
    assert len({file_stem(*pair) for pair in pairs}) == len(pairs)
    assert file_stem("p1", "left_lung") == "p1__left_lung"


@pytest.mark.parametrize("name", ["ours", "ours+more", "v1.2", "a_b-c"])
def test_a_folder_may_be_called(name: str) -> None:
    assert is_folder_name(name)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "con", "Nul.1", "a.", "-x", "a b", "a\\b", "a:b"])
def test_a_folder_may_not_be_called(name: str) -> None:
    assert not is_folder_name(name)
