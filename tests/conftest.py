"""Fixtures that several test modules share: tiny data made once, and one tiny run trained on it."""

from __future__ import annotations

import gc
import multiprocessing
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from filelock import FileLock

from tests.processes import preload_libraries

PROJECT = Path(__file__).resolve().parents[1]
SHARED = PROJECT.parent / "shared"
# 36 studies of this seed: every finding has positives and negatives among the test patients.
STUDIES, SEED = 36, 4

RunConfig = Callable[..., Any]

# Before the test modules import torch, MONAI and matplotlib, and so for every process that a test starts. One thread a
# process: two of them share two cores, and the sums of a training then add up in one order on every machine. Whoever
# sets a number of threads gets it. Arrow's allocator has a thread of its own, which the fork server must not have.
_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "HF_HUB_OFFLINE": "1",
    "MPLBACKEND": "Agg",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
}
for _name, _value in _ENVIRONMENT.items():
    os.environ.setdefault(_name, _value)
preload_libraries()


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes are named by their argument: what a compressor or a library wrote can hold the time, and the processes of
    pytest-xdist must collect one and the same list.
    """
    return argname if isinstance(val, bytes) and not val.isascii() else None


def pytest_collection_finish() -> None:
    """What the imports have left stays: the garbage collector need not look through it at every turn. Exporters make
    objects by the million and few cycles, so that it need not turn as often either (measured: 15 % of an export).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def pytest_sessionfinish() -> None:
    """A process that outlived its test would be waited for without end."""
    for process in multiprocessing.active_children():
        if not process.daemon:
            process.kill()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real X-rays beside the project; a clone elsewhere does not have it."""
    if not (SHARED / "data").is_dir():
        pytest.skip(f"real data not found at {SHARED / 'data'}")
    return SHARED / "data"


@pytest.fixture(scope="session")
def project() -> Path:
    """The bundle's root."""
    return PROJECT


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable[[Path], object]], Path]:
    """`once(name, make)`: a folder that `make(folder)` fills a single time, for all processes of pytest-xdist."""
    base = tmp_path_factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def folder(name: str, make: Callable[[Path], object]) -> Path:
        path, done = base / name, base / f"{name}.done"
        with FileLock(base / f"{name}.lock"):
            if not done.exists():
                make(path)
                done.touch()
        return path

    return folder


@pytest.fixture(scope="session")
def demo_folder(once: Callable[..., Path]) -> Path:
    """A demo data set of small radiographs: `demo.csv`, `dicom/`, `masks/`."""
    from bundle.demo import make_demo

    return once(
        "demo", lambda out: make_demo(out, studies=STUDIES, seed=SEED, workers=1, size=(160, 240), progress=False)
    )


@pytest.fixture(scope="session")
def prepared(once: Callable[..., Path], demo_folder: Path) -> Path:
    """`demo_folder` after `prepare`, at 64 pixels: study table, image store, text store."""
    from bundle.__main__ import main

    def prepare(out: Path) -> None:
        assert main(["prepare", "demo", str(demo_folder), str(out), "--size", "64", "--workers", "1"]) == 0

    return once("prepared", prepare)


@pytest.fixture(scope="session")
def tracking_uri(once: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> str:
    """One MLflow database for all runs of this process that do not look at their own; made by copying an empty one,
    since its tables take longer than a tiny training.
    """
    from mlflow import MlflowClient

    def make(folder: Path) -> None:
        folder.mkdir()
        MlflowClient(f"sqlite:///{folder / 'mlruns.db'}").search_experiments()

    own = tmp_path_factory.mktemp("tracking")
    shutil.copy(once("empty_tracking", make) / "mlruns.db", own)
    return f"sqlite:///{own / 'mlruns.db'}"


@pytest.fixture(scope="session")
def tiny_overrides(prepared: Path, tracking_uri: str) -> dict[str, Any]:
    """Overrides that make a configuration train within seconds: a thin ResNet-10 on the prepared demo, five batches an
    epoch.
    """
    return {
        "dataset_dir": str(prepared),
        "encoder": "resnet10",
        "network_def#widen_factor": 0.25,
        "method#hidden_dim": 64,
        "method#out_dim": 32,
        "image_size": 64,
        "epochs": 3,
        "batch_size": 4,
        "learning_rate": 1e-3,
        "orthogonality_weight": 0.1,
        "precision": "float32",
        "num_workers": 0,
        "tracking_uri": tracking_uri,
    }


@pytest.fixture(scope="session")
def inference_overrides(tiny_overrides: dict[str, Any], demo_folder: Path) -> dict[str, Any]:
    """The part of `tiny_overrides` that `inference.json` knows, on the demo's DICOM files."""
    keys = ("encoder", "network_def#widen_factor", "image_size", "batch_size", "num_workers")
    return {key: tiny_overrides[key] for key in keys} | {"dataset_dir": str(demo_folder / "dicom")}


@pytest.fixture(scope="session")
def run_config() -> RunConfig:
    """`run_config(["train.json"], root, **overrides)`: initializes and runs a configuration in this process, as a host
    program would; gives the workflow. `run=False` leaves the run out, `folder` says where the files lie.
    """
    from monai.bundle import ConfigWorkflow

    def run_(
        files: list[str], root: Path, *, folder: Path = PROJECT / "configs", run: bool = True, kind: str = "train",
        **overrides: Any,
    ) -> ConfigWorkflow:  # fmt: skip
        workflow = ConfigWorkflow(
            config_file=[str(folder / file) for file in files],
            workflow_type=kind,
            # A host's logging stays its own; MONAI would point the root logger at a stream that pytest closes.
            logging_file=False,
            meta_file=str(PROJECT / "configs" / "metadata.json"),
            **{"bundle_root": str(root), **overrides},
        )
        workflow.initialize()
        if run:
            workflow.run()
        return workflow

    return run_


@pytest.fixture(scope="session")
def trained(once: Callable[..., Path], tiny_overrides: dict[str, Any], run_config: RunConfig) -> SimpleNamespace:
    """One uninterrupted run of `train.json` with `tiny_overrides`, tracked in its own database as by default."""

    def train(root: Path) -> None:
        own = {key: value for key, value in tiny_overrides.items() if key != "tracking_uri"}
        run_config(["train.json"], root, **own, run_name="uninterrupted")

    root = once("trained", train)
    output = root / "runs" / "pretraining"
    return SimpleNamespace(
        root=root, models=root / "models", output=output, database=f"sqlite:///{output / 'mlruns.db'}"
    )


TASK_SETTINGS: dict[str, dict[str, Any]] = {
    "classification": {"names": ["opacity", "effusion", "cardiomegaly"], "stop_on": "auroc"},
    "segmentation": {"names": ["lungs", "opacity"], "stop_on": "dice_positives"},
    "detection": {"names": ["opacity", "nodule"], "stop_on": "map_40_75"},
}


@pytest.fixture(scope="session")
def task_overrides(prepared: Path, tracking_uri: str) -> Callable[[str], dict[str, Any]]:
    """`task_overrides(task)`: overrides that make a task's training take seconds on the prepared demo."""

    def overrides(task: str) -> dict[str, Any]:
        return {
            "dataset_dir": str(prepared),
            "encoder": "resnet10",
            "encoder_options": {"widen_factor": 0.25},
            "encoder_weights": "random",
            "image_size": 64,
            "epochs": 2,
            "batch_size": 6,
            "precision": "float32",
            "num_workers": 0,
            "tracking_uri": tracking_uri,
            # Of the five turns the one whose validation and test patients have each of these findings.
            "fold": 2,
            **TASK_SETTINGS[task],
        }

    return overrides


@pytest.fixture(scope="session")
def trained_task(
    once: Callable[..., Path], task_overrides: Callable[[str], dict[str, Any]], run_config: RunConfig
) -> Callable[[str], SimpleNamespace]:
    """`trained_task(task)`: one uninterrupted, fine-tuned run of `configs/<task>/train.json`."""

    def give(task: str) -> SimpleNamespace:
        def train(root: Path) -> None:
            run_config([f"{task}/train.json"], root, **task_overrides(task), frozen=False, run_name=task)

        root = once(f"trained_{task}", train)
        return SimpleNamespace(root=root, models=root / "models" / task, output=root / "runs" / task)

    return give
