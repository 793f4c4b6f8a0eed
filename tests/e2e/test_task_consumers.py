"""A federated client and MONAI's own checks drive the task folders as they drive any bundle."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from monai.bundle import ckpt_export, verify_net_in_out
from monai.fl.client import MonaiAlgo
from monai.fl.utils.constants import ExtraItems, ModelType, WeightType
from monai.fl.utils.exchange_object import ExchangeObject

Overrides = Callable[[str], dict[str, Any]]
TASKS = ("classification", "segmentation", "detection")


@pytest.fixture(autouse=True)
def in_the_project(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tasks' configs share parts by paths from the project's root."""
    monkeypatch.chdir(project)


@pytest.mark.parametrize("task", TASKS)
def test_a_federated_client_trains_gives_weights_and_evaluates(
    task: str, tmp_path: Path, project: Path, task_overrides: Overrides
) -> None:
    shutil.copytree(project / "configs", tmp_path / "site" / "configs")
    settings = task_overrides(task) | {"frozen": False, "run_name": f"federated {task}"}
    algo = MonaiAlgo(
        bundle_root="site", local_epochs=1, send_weight_diff=False, train_kwargs=dict(settings),
        eval_kwargs=dict(settings), config_train_filename=f"configs/{task}/train.json",
        config_evaluate_filename=f"configs/{task}/train.json", best_model_filepath=f"models/{task}/model.pt",
    )  # fmt: skip
    algo.initialize(extra={ExtraItems.CLIENT_NAME: "site-1", ExtraItems.APP_ROOT: str(tmp_path)})
    weights = {key: value.clone() for key, value in algo.trainer.network.state_dict().items()}
    for _ in range(2):
        algo.train(data=ExchangeObject(weights=weights), extra={})
        sent = algo.get_weights(extra={})
        assert sent.weight_type == WeightType.WEIGHTS
        assert any(not torch.equal(value, weights[key]) for key, value in sent.weights.items())
        metrics = algo.evaluate(data=ExchangeObject(weights=sent.weights), extra={}).metrics
        assert 0 <= metrics[settings["stop_on"]] <= 1
        weights = {key: value.clone() for key, value in sent.weights.items()}
    best = algo.get_weights(extra={ExtraItems.MODEL_TYPE: ModelType.BEST_MODEL})
    assert best.weights.keys() == weights.keys()
    algo.finalize()


@pytest.mark.parametrize("task", ["classification", "segmentation"])
def test_monai_verifies_the_network_and_exports_it(task: str, tmp_path: Path, task_overrides: Overrides) -> None:
    config, meta = f"configs/{task}/inference.json", f"configs/{task}/metadata.json"
    small = {key: task_overrides(task)[key] for key in ("encoder", "encoder_options")}
    verify_net_in_out("network_def", config_file=config, meta_file=meta, device="cpu", n=2, **small)
    from monai.bundle import ConfigParser

    parser = ConfigParser()
    parser.read_config(config)
    parser.update(small)
    network = parser.get_parsed_content("network_def").eval()
    torch.save(network.state_dict(), tmp_path / "model.pt")
    ckpt_export(
        "network_def", filepath=str(tmp_path / "model.ts"), ckpt_file=str(tmp_path / "model.pt"), meta_file=meta,
        config_file=config, **small,
    )  # fmt: skip
    scripted, image = torch.jit.load(tmp_path / "model.ts"), torch.rand(2, 3, 64, 96)
    torch.testing.assert_close(scripted(image), network(image))


@pytest.mark.parametrize("task", TASKS)
def test_the_metadata_tells_the_truth(task: str, project: Path) -> None:
    folder = project / "configs" / task
    metadata, train = (json.loads((folder / f"{name}.json").read_text()) for name in ("metadata", "train"))
    shared = json.loads((project / "configs" / "metadata.json").read_text())
    for key in ("schema", "version", "monai_version", "pytorch_version", "numpy_version", "required_packages_version"):
        assert metadata[key] == shared[key]
    pred = metadata["network_data_format"]["outputs"]["pred"]
    assert list(pred["channel_def"].values()) == train["names"]
    assert pred["num_channels"] == len(train["names"])
    assert metadata["network_data_format"]["inputs"] == shared["network_data_format"]["inputs"]
    assert task in metadata["task"].lower()


@pytest.mark.parametrize("task", TASKS)
def test_the_metadata_is_valid(task: str, project: Path) -> None:
    from jsonschema import validate

    schema = project.parent / "shared/reference/schema/meta_schema_20240725.json"
    if not schema.is_file():
        pytest.skip(f"no schema at {schema}")
    validate(json.loads((project / "configs" / task / "metadata.json").read_text()), json.loads(schema.read_text()))


@pytest.mark.parametrize("task", TASKS)
def test_the_log_is_formatted_as_the_pre_trainings(task: str, project: Path) -> None:
    """MONAI looks for it beside the config, so that each folder has one."""
    configs = project / "configs"
    assert (configs / task / "logging.conf").read_bytes() == (configs / "logging.conf").read_bytes()
