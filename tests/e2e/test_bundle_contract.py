"""What MONAI's own tools and the model zoo ask of a bundle."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from jsonschema import validate
from monai.bundle import ckpt_export, load_bundle_config, verify_metadata, verify_net_in_out
from monai.data import load_net_with_metadata
from monai.networks.nets import resnet18, resnet50

from tests.processes import Command

RunConfig = Callable[..., Any]
FORM = {
    "spatial_dims": 2, "n_input_channels": 3, "conv1_t_stride": 2, "bias_downsample": False, "feed_forward": False
}  # fmt: skip
SCHEMA = "meta_schema_20240725.json"


@pytest.fixture(scope="module")
def bundle(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle's folder as a consumer has it, with random weights of the default encoder."""
    root = tmp_path_factory.mktemp("hub") / "cxr_pretraining"
    for part in ("configs", "scripts"):
        shutil.copytree(project / part, root / part, ignore=shutil.ignore_patterns("__pycache__"))
    (root / "models").mkdir()
    torch.manual_seed(1)
    torch.save(resnet50(**FORM).state_dict(), root / "models" / "model.pt")
    return root


@pytest.mark.parametrize(
    ("files", "kind"),
    [(["train.json"], "train"), (["train.json", "evaluate.json"], "train"), (["inference.json"], "infer")],
    ids=["train", "evaluate", "inference"],
)
def test_every_property_is_there_under_its_id(
    tmp_path: Path, files: list[str], kind: str, run_config: RunConfig, tiny_overrides: dict[str, Any],
    inference_overrides: dict[str, Any], trained: SimpleNamespace,
) -> None:  # fmt: skip
    overrides = inference_overrides if kind == "infer" else tiny_overrides
    workflow = run_config(files, tmp_path, kind=kind, run=False, **overrides, ckpt_dir=str(trained.models))
    assert workflow.check_properties() == []
    assert workflow.version == json.loads((Path(__file__).parents[2] / "configs/metadata.json").read_text())["version"]
    required = [name for name, one in workflow.properties.items() if one["required"]]
    assert all(getattr(workflow, name) is not None for name in required)
    assert type(workflow.evaluator).__name__ == "SupervisedEvaluator"
    if kind == "train":
        assert type(workflow.trainer).__name__ == "SupervisedTrainer"
        assert workflow.max_epochs == 3


@pytest.mark.parametrize("file", ["train.json", "inference.json"])
def test_the_network_takes_one_tensor_and_gives_one(project: Path, file: str) -> None:
    verify_net_in_out(
        net_id="network_def", config_file=str(project / "configs" / file),
        meta_file=str(project / "configs" / "metadata.json"), device="cpu", n=1,
    )  # fmt: skip


def test_it_exports_to_torchscript_with_the_same_values(project: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = resnet18(**FORM).eval()
    torch.save(network.state_dict(), tmp_path / "model.pt")
    ckpt_export(
        net_id="network_def", filepath=str(tmp_path / "model.ts"), ckpt_file=str(tmp_path / "model.pt"),
        config_file=str(project / "configs" / "inference.json"), meta_file=str(project / "configs" / "metadata.json"),
        key_in_ckpt="", encoder="resnet18",
    )  # fmt: skip
    scripted, metadata, _ = load_net_with_metadata(str(tmp_path / "model.ts"), map_location="cpu")
    image = torch.rand(2, 3, 96, 64)
    with torch.no_grad():
        torch.testing.assert_close(scripted.eval()(image), network(image), atol=1e-5, rtol=1e-5)
    assert metadata["network_data_format"]["outputs"]["pred"]["num_channels"] == 2048
    assert load_bundle_config(str(tmp_path / "model.ts"), "inference.json")["network_def"]["feed_forward"] is False


@pytest.mark.parametrize("how", ["jsonschema", "monai"])
def test_the_metadata_fits_monais_schema(project: Path, tmp_path: Path, how: str) -> None:
    schema = project.parent / "shared" / "reference" / "schema" / SCHEMA
    if not schema.is_file():
        pytest.skip(f"no copy of the schema at {schema}")
    file = project / "configs" / "metadata.json"
    metadata = json.loads(file.read_text())
    assert metadata["schema"].endswith(SCHEMA)
    if how == "monai":  # passes without a network when the file is already there
        shutil.copy(schema, tmp_path / "schema.json")
        verify_metadata(meta_file=str(file), filepath=str(tmp_path / "schema.json"))
    else:
        validate(metadata, json.loads(schema.read_text()))


def test_the_metadata_tells_the_truth(project: Path, run_config: RunConfig, tmp_path: Path) -> None:
    """Channels and value range of the default encoder's input and output, and the versions that are installed."""
    from importlib.metadata import version

    metadata = json.loads((project / "configs" / "metadata.json").read_text())
    formats = metadata["network_data_format"]
    workflow = run_config(["inference.json"], tmp_path, kind="infer", run=False)
    with torch.no_grad():
        pred = workflow.network_def.eval()(torch.zeros(1, formats["inputs"]["image"]["num_channels"], 32, 32))
    assert pred.shape == (1, formats["outputs"]["pred"]["num_channels"])
    assert next(iter(formats["inputs"])) == "image"
    assert next(iter(formats["outputs"])) == "pred"
    step = next(t for t in workflow.preprocessing.transforms if type(t).__name__ == "NormalizeIntensityd")
    low, high = (float(step({"image": torch.full((1, 2, 2), value)})["image"].max()) for value in (0.0, 1.0))
    assert formats["inputs"]["image"]["value_range"] == pytest.approx([low, high], abs=0.01)
    for name, wanted in metadata["required_packages_version"].items():
        assert version(name) == wanted, name
    assert version("monai") == metadata["monai_version"]
    assert version("torch").split("+")[0] == metadata["pytorch_version"]


LOAD = """
import socket, sys
def refuse(*args, **kwargs):
    raise OSError("no network here")
socket.socket.connect = socket.getaddrinfo = refuse
import torch
from monai.bundle import load
expected = torch.load(f"{sys.argv[1]}/cxr_pretraining/models/model.pt", weights_only=True)
for kind in ({}, {"workflow_type": "inference"}):
    network = load("cxr_pretraining", bundle_dir=sys.argv[1], device="cpu", **kind)
    state = network.state_dict()
    assert type(network).__name__ == "ResNet", type(network)
    assert state.keys() == expected.keys()
    assert all(torch.equal(state[key], value) for key, value in expected.items())
    assert network(torch.zeros(2, 3, 64, 64)).shape == (2, 2048)
assert not any(name.split(".")[0] == "scripts" for name in sys.modules)
print("the same, key by key")
"""


def test_load_gives_the_weights_of_the_file_from_anywhere(bundle: Path, tmp_path: Path) -> None:
    """In a process of its own: another working directory, no data, no network, and `scripts` not to be found."""
    done = Command(["-c", LOAD, str(bundle.parent)], bundle.parent / "load.txt", tmp_path)
    told = done.communicate()[0]
    assert done.returncode == 0, told
    assert told.strip().endswith("the same, key by key")
    assert list(tmp_path.iterdir()) == []  # reading a bundle leaves nothing behind
    assert {path.name for path in bundle.iterdir()} == {"configs", "scripts", "models"}


def test_initialize_needs_no_data_and_may_run_twice(bundle: Path, tmp_path: Path, run_config: RunConfig) -> None:
    for file, kind in (("train.json", "train"), ("inference.json", "infer")):
        workflow = run_config([file], tmp_path / "nowhere", kind=kind, run=False, dataset_dir="nowhere", anything=1)
        workflow.initialize()
        assert workflow.network_def is not None
    assert not (tmp_path / "nowhere").exists()


def test_a_config_written_as_yaml_runs(
    project: Path, tmp_path: Path, run_config: RunConfig, tiny_overrides: dict[str, Any]
) -> None:
    import yaml

    config = json.loads((project / "configs" / "train.json").read_text())
    (tmp_path / "train.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    overrides = tiny_overrides | {"epochs": 1}
    run_config(["train.yaml"], tmp_path, folder=tmp_path, **overrides)
    run_config(["train.json"], tmp_path / "json", **overrides)
    curves = [(root / "runs/pretraining/history.json").read_text() for root in (tmp_path, tmp_path / "json")]
    assert curves[0] == curves[1]
