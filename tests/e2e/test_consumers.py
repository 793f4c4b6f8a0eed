"""MONAI Label and a federated client drive the bundle as they drive any other."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from monai.bundle import run as monai_run
from monai.data import MetaTensor
from monai.engines import SupervisedEvaluator, SupervisedTrainer
from monai.fl.client import MonaiAlgo
from monai.fl.utils.constants import ExtraItems, FlStatistics, ModelType, WeightType
from monai.fl.utils.exchange_object import ExchangeObject
from monai.transforms import Compose

from scripts.data.reader import CxrReader
from scripts.data.studies import read_studies

RunConfig = Callable[..., Any]


@pytest.fixture
def bundle(project: Path, tmp_path: Path) -> Path:
    """A folder with the bundle's configs, and models of its own."""
    root = tmp_path / "cxr_pretraining"
    shutil.copytree(project / "configs", root / "configs")
    return root


@pytest.fixture(scope="module")
def pairs(demo_folder: Path) -> list[dict[str, str]]:
    """What a host hands over: files and reports, without prepare, identifiers, or anything else."""
    table = pd.read_csv(demo_folder / "demo.csv")
    return [{"image": str(demo_folder / i), "report": r} for i, r in zip(table["image"], table["report"], strict=True)]


def test_monai_label_trains_on_its_own_list(
    bundle: Path, pairs: list[dict[str, str]], tiny_overrides: dict[str, Any], runs_named: Callable[..., Any]
) -> None:
    """As monailabel/tasks/train/bundle.py does: raw items, a device's name, and a loader put before the handlers."""
    config = json.loads((bundle / "configs" / "train.json").read_text())
    start = bundle / "start.pt"
    small = {key: value for key, value in tiny_overrides.items() if key != "dataset_dir"}
    handlers = [
        {"_target_": "CheckpointLoader", "load_path": str(start), "load_dict": {"model": "$@network"}, "strict": False},
        *config["train"]["handlers"],
    ]
    (bundle / "models").mkdir()
    torch.save({}, start)
    monai_run(
        run_id="run",
        config_file=str(bundle / "configs" / "train.json"),
        meta_file=str(bundle / "configs" / "metadata.json"),
        logging_file=False,
        **small | {
            "bundle_root": str(bundle),
            "train#trainer#max_epochs": 2,
            "train#dataset#data": pairs[:9],
            "validate#dataset#data": pairs[9:14],
            "train#handlers": handlers,
            "device": "cpu",
            "run_name": "label",
        },
    )  # fmt: skip
    ((run, metrics),) = runs_named(tiny_overrides["tracking_uri"], "label")
    assert run.info.status == "FINISHED"
    assert [step for step, _ in metrics["loss"]] == [1, 2]
    assert {path.name for path in (bundle / "models").iterdir()} == {
        "model.pt", "model.json", "pretraining.pt", "pretraining.json", "checkpoint.pt", "checkpoint.mlflow",
    }  # fmt: skip


def test_a_federated_client_trains_gives_weights_and_evaluates(
    bundle: Path, tmp_path: Path, tiny_overrides: dict[str, Any], runs_named: Callable[..., Any]
) -> None:
    kwargs = {**tiny_overrides, "tracking_uri": tiny_overrides["tracking_uri"], "run_name": "federated"}
    algo = MonaiAlgo(
        bundle_root=bundle.name, local_epochs=1, send_weight_diff=False, train_kwargs=kwargs, eval_kwargs=kwargs,
        config_train_filename="configs/train.json", config_evaluate_filename="configs/train.json",
    )  # fmt: skip
    algo.initialize(extra={ExtraItems.CLIENT_NAME: "site-1", ExtraItems.APP_ROOT: str(tmp_path)})
    assert isinstance(algo.trainer, SupervisedTrainer)
    assert isinstance(algo.evaluator, SupervisedEvaluator)
    weights = {key: value.clone() for key, value in algo.trainer.network.state_dict().items()}
    for number in (1, 2):
        algo.train(data=ExchangeObject(weights=weights), extra={})
        sent = algo.get_weights(extra={})
        assert sent.weight_type == WeightType.WEIGHTS
        assert sent.weights.keys() == weights.keys()
        assert sent.statistics[FlStatistics.NUM_EXECUTED_ITERATIONS] == 5  # of this round alone
        assert any(not torch.equal(value, weights[key]) for key, value in sent.weights.items())
        assert all(torch.isfinite(value).all() for value in sent.weights.values())
        metrics = algo.evaluate(data=ExchangeObject(weights=sent.weights), extra={}).metrics
        assert 0 < metrics["retrieval"] <= 1
        weights = {key: value.clone() for key, value in sent.weights.items()}
        assert algo.trainer.state.epoch == number
    best = algo.get_weights(extra={ExtraItems.MODEL_TYPE: ModelType.BEST_MODEL})
    assert best.weights.keys() == {k.removeprefix("encoder.") for k in weights if k.startswith("encoder.")}
    algo.finalize()
    # The rounds are one run, and a restart of the trainer is no resume of a checkpoint.
    ((run, metrics),) = runs_named(tiny_overrides["tracking_uri"], "federated")
    assert [step for step, _ in metrics["loss"]] == [1, 2]
    assert run.info.status == "FINISHED"


def test_a_host_may_override_anything(tmp_path: Path, run_config: RunConfig) -> None:
    workflow = run_config(["train.json"], tmp_path, run=False, epoch=3, whatever={"_target_": "not.there"})
    assert workflow.network_def is not None


def test_raw_pairs_train_without_prepare(
    tmp_path: Path, pairs: list[dict[str, str]], run_config: RunConfig, tiny_overrides: dict[str, Any]
) -> None:
    pd.DataFrame(pairs).to_csv(tmp_path / "pairs.csv", index=False)
    run_config(["train.json"], tmp_path, **tiny_overrides | {"dataset_dir": str(tmp_path / "pairs.csv")})
    rows = json.loads((tmp_path / "runs" / "pretraining" / "history.json").read_text())
    assert len(rows) == 3
    assert all(math.isfinite(row["loss"]) for row in rows)
    assert {path.name for path in tmp_path.iterdir()} == {"pairs.csv", "models", "runs"}  # nothing beside the data


def test_raw_files_give_the_batches_of_the_store(
    tmp_path: Path, prepared: Path, run_config: RunConfig, tiny_overrides: dict[str, Any]
) -> None:
    """The same rows in the same order, from the DICOM files and from the store: the same images, to the bit."""
    columns = ["image", "report", "patient_id", "split"]
    read_studies(prepared)[columns].to_csv(tmp_path / "pairs.csv", index=False)
    sources = (str(tmp_path / "pairs.csv"), str(prepared))
    workflows = [
        run_config(["train.json"], tmp_path, **tiny_overrides | {"dataset_dir": source}, run=False)
        for source in sources
    ]
    raw, stored = workflows
    for one, other in ((raw.train_dataset, stored.train_dataset), (raw.val_dataset, stored.val_dataset)):
        assert "images.npy" not in str(one.data[0]["image"])
        assert len(one) == len(other)
        for index in range(len(one)):
            assert torch.equal(one[index]["image"], other[index]["image"])
            assert one[index]["report"] == other[index]["report"]
    first, second = (next(iter(workflow.parser.get_parsed_content("train#dataloader"))) for workflow in workflows)
    assert first["image"].shape == (4, 3, 64, 64)
    assert torch.equal(first["image"], second["image"])
    texts = [w.parser.get_parsed_content("text_store").lookup(first["report"]) for w in workflows]
    # The language model sees them in batches of another length, in half precision.
    np.testing.assert_allclose(texts[0], texts[1], atol=0.01)


def test_what_monai_deploy_hands_over_is_embedded_alike(
    tmp_path: Path, demo_folder: Path, run_config: RunConfig, inference_overrides: dict[str, Any]
) -> None:
    """Deploy takes the loader out and gives (W, H, 1), rescaled and inverted, without a channel."""
    workflow = run_config(["inference.json"], tmp_path, kind="infer", run=False, **inference_overrides)
    steps = workflow.preprocessing.transforms
    after_loading = Compose([step for step in steps if "LoadImage" not in type(step).__name__])
    assert len(after_loading) == len(steps) - 1
    for file in sorted((demo_folder / "dicom").iterdir())[:6]:
        array, _ = CxrReader().get_data(CxrReader().read(file))
        handed = MetaTensor(torch.from_numpy(array).T[..., None].clone(), meta={"original_channel_dim": "no_channel"})
        found, expected = (
            after_loading({"image": handed})["image"],
            workflow.preprocessing({"image": str(file)})["image"],
        )
        assert found.shape == (3, 64, 64)
        # A reduced decode and the padding value, which Deploy does not know, may move a grey value or two of 255.
        assert (found - expected).abs().median() <= 2 / 255 / 0.226
