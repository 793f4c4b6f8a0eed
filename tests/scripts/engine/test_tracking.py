"""What the tracking keeps to this machine, and how it counts."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import MagicMock

import pytest
from torch import nn

from scripts.engine.tracking import log_files, parameter_counts, without_passwords


@pytest.mark.parametrize(
    ("uri", "server"),
    [
        ("sqlite:////shared/mlruns.db", False),
        ("file:///shared/mlruns", False),
        ("/shared/mlruns", False),
        ("https://mlflow.example.org", True),
        ("databricks", True),
        ("databricks://profile", True),
        ("postgresql://host/mlflow", True),
    ],
)
def test_a_server_gets_no_picture_of_a_patient(tmp_path: Path, uri: str, server: bool) -> None:
    (tmp_path / "pictures").mkdir()
    for name in ("training.png", "geometry.png", "first_batch.png"):
        (tmp_path / "pictures" / name).touch()
    (tmp_path / "history.json").touch()
    client, files = MagicMock(tracking_uri=uri), [tmp_path / "pictures", tmp_path / "history.json", tmp_path / "no"]
    log_files(client, "run", files, local_only=["first_batch.png"])
    logged = {(Path(call.args[1]).name, call.args[2]) for call in client.log_artifact.call_args_list}
    curves = {("training.png", "pictures"), ("geometry.png", "pictures"), ("history.json", None)}
    assert logged == curves | (set() if server else {("first_batch.png", "pictures")})


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://me:secret@mlflow.example.org/a", "https://mlflow.example.org/a"),
        ("https://me:se@cret@mlflow.example.org", "https://mlflow.example.org"),
        ("https://token@mlflow.example.org:5000", "https://mlflow.example.org:5000"),
        ("https://mlflow.example.org/a@b", "https://mlflow.example.org/a@b"),
        ("$'sqlite:///' + str(@output_dir)", "$'sqlite:///' + str(@output_dir)"),
    ],
)
def test_an_address_is_recorded_without_its_password(given: str, kept: str) -> None:
    config = {"tracking_uri": given, "train": {"handlers": [{"tracking_uri": given, "weight": 0.1, "none": None}]}}
    assert without_passwords(config) == {
        "tracking_uri": kept,
        "train": {"handlers": [{"tracking_uri": kept, "weight": 0.1, "none": None}]},
    }


def test_the_parameters_of_the_network_are_counted() -> None:
    network = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    network[1].requires_grad_(False)
    assert parameter_counts(network) == {"trained_parameters": 9, "network_frozen_parameters": 4}
