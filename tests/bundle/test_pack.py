"""Each pack alone: from another folder, in a process without the project and without a network."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from jsonschema import validate

from bundle.__main__ import main
from bundle.pack import KINDS, pack
from bundle.pack.configs import expand, read_configs
from bundle.pack.scripts_part import ScriptsPart
from scripts.encoders.factory import build_encoder
from scripts.errors import CxrError
from tests.processes import Command

PROJECT = Path(__file__).resolve().parents[2]
# tests/conftest.py's training
THIN = {
    "encoder": "resnet10", "network_def#widen_factor": 0.25, "method#hidden_dim": 64, "method#out_dim": 32,
    "image_size": 64,
}  # fmt: skip
FILES = {
    "LICENSE", "configs/metadata.json", "configs/train.json", "configs/evaluate.json", "configs/inference.json",
    "configs/multi_gpu_train.json", "configs/logging.conf", "docs/README.md", "docs/data_license.txt",
    "models/model.pt", "scripts/__init__.py",
}  # fmt: skip


@pytest.fixture(scope="module")
def packed(
    tmp_path_factory: pytest.TempPathFactory, trained: SimpleNamespace, trained_task: Callable[[str], SimpleNamespace]
) -> Callable[[str], Path]:
    """`packed(task)`: the pack of a tiny training on the demo."""
    out = tmp_path_factory.mktemp("dist")

    def give(task: str) -> Path:
        if not (out / KINDS[task].pack).is_dir():
            weights = (trained if task == "pretraining" else trained_task(task)).models / "model.pt"
            pack(task, weights, out, settings=THIN if task == "pretraining" else None)
        return out / KINDS[task].pack

    return give


CONSUMER = """
import json, pathlib, socket, sys
def refuse(*args, **kwargs):
    raise OSError("no network here")
socket.socket.connect = socket.getaddrinfo = refuse
task, name, dist, data, dicom = sys.argv[1:]
root = pathlib.Path(dist) / name
if task != "pretraining":
    sys.path.insert(0, str(root))
import torch
from monai.bundle import ConfigWorkflow, load
expected = torch.load(root / "models" / "model.pt", weights_only=True)
for kind in ({}, {"workflow_type": "inference"}):
    network = load(name, bundle_dir=dist, device="cpu", **kind)
    state = network.state_dict()
    assert state.keys() == expected.keys()
    assert all(torch.equal(state[key], value) for key, value in expected.items())
assert task != "pretraining" or "scripts" not in sys.modules
sys.path.insert(0, str(root))
meta = str(root / "configs" / "metadata.json")
common = dict(logging_file=False, meta_file=meta, bundle_root=str(root), num_workers=0)
fold = {} if task == "pretraining" else {"fold": 2}  # whose validation has each finding
inference = ConfigWorkflow(
    config_file=str(root / "configs" / "inference.json"), workflow_type="infer", dataset_dir=dicom, output_dir="found",
    **common,
)
inference.initialize()
assert inference.check_properties() == [], inference.check_properties()
inference.run()
training = ConfigWorkflow(
    config_file=str(root / "configs" / "train.json"), workflow_type="train", dataset_dir=data, output_dir="run",
    ckpt_dir="trained", epochs=1, batch_size=6, tracking_uri="sqlite:///mlruns.db", **fold, **common,
)
training.initialize()
assert training.check_properties() == [], training.check_properties()
start = {key: value.clone() for key, value in training.network_def.state_dict().items()}
assert all(torch.equal(start[key], value) for key, value in expected.items()), "training does not start from the pack"
training.run()
if task == "classification":  # calibration and charts as well
    evaluation = ConfigWorkflow(
        config_file=[str(root / "configs" / file) for file in ("train.json", "evaluate.json")], workflow_type="train",
        dataset_dir=data, output_dir="evaluation", cache_dir="features", tracking_uri="sqlite:///mlruns.db", **fold,
        **common,
    )
    evaluation.initialize()
    evaluation.run()
    assert pathlib.Path("evaluation/report.html").is_file()
import scripts
assert pathlib.Path(scripts.__file__).is_relative_to(root)
assert not any(name.split(".")[0] == "bundle" for name in sys.modules)
print("ran alone")
"""


@pytest.mark.slow
@pytest.mark.parametrize("task", KINDS)
def test_a_pack_loads_predicts_and_trains_alone(
    task: str, packed: Callable[[str], Path], prepared: Path, demo_folder: Path, tmp_path: Path
) -> None:
    root = packed(task)
    dicom, cwd = tmp_path / "in", tmp_path / "elsewhere"
    dicom.mkdir()
    cwd.mkdir()
    shutil.copy(sorted((demo_folder / "dicom").iterdir())[0], dicom / "a.dcm")
    (dicom / "letter.dcm").write_bytes(b"Dear colleague")
    before = {path.relative_to(root) for path in root.rglob("*") if "__pycache__" not in path.parts}
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | {"HF_HUB_OFFLINE": "1"}
    done = Command(
        ["-c", CONSUMER, task, root.name, str(root.parent), str(prepared), str(dicom)], tmp_path / "log.txt", cwd,
        environment,
    )  # fmt: skip
    told = done.communicate()[0]
    assert done.returncode == 0, told[-6000:]
    assert told.strip().endswith("ran alone")
    assert {path.name for path in (cwd / "trained").iterdir()} >= {"model.pt", "checkpoint.pt"}
    assert {path.relative_to(root) for path in root.rglob("*") if "__pycache__" not in path.parts} == before
    if task == "pretraining":
        assert (cwd / "found" / "embeddings.parquet").is_file()
        return
    content = json.loads((cwd / "found" / "predictions.json").read_text())
    assert content["counts"]["images"] == 2 and content["counts"]["predicted"] == 1
    assert content["names"] == json.loads((root / "configs" / "train.json").read_text())["names"]


@pytest.mark.parametrize("task", KINDS)
def test_a_pack_is_whole_and_plain(task: str, packed: Callable[[str], Path], trained_task: Any, trained: Any) -> None:
    root = packed(task)
    files = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
    assert files >= FILES
    assert not any(name.startswith(("bundle/", "tests/", ".")) for name in files)
    if task == "pretraining":
        assert "models/pretraining.pt" in files  # evaluation projects with it
    else:
        others = [f"scripts/tasks/{other}/" for other in KINDS if other != task]
        others += ["scripts/pretraining/mflag", "scripts/evaluation/", "scripts/encoders/panel"]
        assert not [name for name in files if name.startswith(tuple(others))]
    for name in ("train", "evaluate", "inference", "multi_gpu_train"):
        text = (root / "configs" / f"{name}.json").read_text()
        assert not re.search(r'"%[^"]*\.json', text)
        assert str(PROJECT) not in text and "/tmp" not in text
    inference = json.loads((root / "configs" / "inference.json").read_text())
    assert inference["ckpt_dir"] == "$@bundle_root + '/models'"
    assert inference["encoder"] == "resnet10" and inference["image_size"] == 64
    source = (trained if task == "pretraining" else trained_task(task)).models / "model.pt"
    kept, given = (torch.load(path, weights_only=True) for path in (root / "models" / "model.pt", source))
    assert kept.keys() == given.keys()
    assert all(torch.equal(kept[key], value) for key, value in given.items())


@pytest.mark.parametrize("task", KINDS)
def test_the_metadata_tell_of_this_network(task: str, packed: Callable[[str], Path]) -> None:
    metadata = json.loads((packed(task) / "configs" / "metadata.json").read_text())
    pred = metadata["network_data_format"]["outputs"]["pred"]
    assert metadata["network_data_format"]["inputs"]["image"]["spatial_shape"] == [64, 64]
    if task == "pretraining":
        assert pred["num_channels"] == 128  # 512 channels of a ResNet-10, a quarter as wide
    else:
        names = json.loads((packed(task) / "configs" / "inference.json").read_text())["names"]
        assert pred["channel_def"] == {str(i): name for i, name in enumerate(names)}
        assert pred["num_channels"] == len(names)
        assert task in metadata["task"].lower()
    assert metadata["version"] in metadata["changelog"]
    assert metadata["data_source"] == "Not stated by who made this pack"
    schema = PROJECT.parent / "shared" / "reference" / "schema" / "meta_schema_20240725.json"
    if not schema.is_file():
        pytest.skip(f"no copy of the schema at {schema}")
    validate(metadata, json.loads(schema.read_text()))


def test_numbers_come_from_the_run_or_are_not_there(
    packed: Callable[[str], Path], trained_task: Callable[[str], SimpleNamespace], tmp_path: Path
) -> None:
    page = (packed("classification") / "docs" / "README.md").read_text()
    best = json.loads((trained_task("classification").models / "model.json").read_text())["best"]
    assert f"{best['metric']} {best['value']:.4f} (epoch {best['epoch']})" in page
    assert "No evaluation was packed" in page
    evaluation = tmp_path / "evaluation"
    (evaluation / "pictures").mkdir(parents=True)
    (evaluation / "evaluation.md").write_text("| score | this run |\n| --- | ---: |\n| AUROC macro | 0.812 |\n")
    details = {"temperature": 1.7, "thresholds": {"opacity": 0.31, "effusion": 0.5, "cardiomegaly": 0.12}}
    (evaluation / "evaluation.json").write_text(json.dumps({"notes": ["Few images."], "details": details}))
    for name in ("roc_pr", "worst_cases"):
        (evaluation / "pictures" / f"{name}.png").write_bytes(b"picture")
    weights = trained_task("classification").models / "model.pt"
    arguments = ["pack", "classification", "--weights", str(weights), "--out", str(tmp_path / "dist")]
    more = ["--evaluation", str(evaluation), "--data", "Demo phantoms, Apache-2.0", "--version", "0.2.0"]
    assert main([*arguments, *more, "--changes", "calibrated", "--set", "batch_size=3"]) == 0
    root = tmp_path / "dist" / "cxr_classification"
    page = (root / "docs" / "README.md").read_text()
    assert "| AUROC macro | 0.812 |" in page and "Few images." in page and "No evaluation" not in page
    assert "pictures/roc_pr.png" in page
    # A picture of cases shows patients.
    assert [path.name for path in (root / "docs" / "pictures").iterdir()] == ["roc_pr.png"]
    inference = json.loads((root / "configs" / "inference.json").read_text())
    assert (inference["temperature"], inference["thresholds"]) == (1.7, details["thresholds"])
    assert inference["batch_size"] == json.loads((root / "configs" / "train.json").read_text())["batch_size"] == 3
    metadata = json.loads((root / "configs" / "metadata.json").read_text())
    assert metadata["version"] == "0.2.0" and metadata["changelog"]["0.2.0"] == "calibrated"
    assert "Demo phantoms, Apache-2.0" in (root / "docs" / "data_license.txt").read_text() + metadata["data_source"]
    assert main(arguments) == 1  # it is there already


def test_an_evaluation_older_than_the_weights_is_another_ones(tmp_path: Path) -> None:
    from bundle.pack.numbers import find_evaluation

    weights, result = (
        tmp_path / "models" / "detection" / "model.pt",
        tmp_path / "runs/detection/evaluation/evaluation.json",
    )
    for file in (weights, result):
        file.parent.mkdir(parents=True)
        file.write_text('{"settings": {"task": "detection"}}')
    assert find_evaluation(weights, KINDS["detection"]) == result.parent
    assert find_evaluation(weights, KINDS["segmentation"]) is None
    assert find_evaluation(weights, KINDS["pretraining"]) is None
    os.utime(result, (0, 0))
    assert find_evaluation(weights, KINDS["detection"]) is None


def test_an_evaluation_of_weights_with_other_settings_is_another_ones(tmp_path: Path) -> None:
    from bundle.pack.numbers import read_run

    (tmp_path / "model.json").write_text(json.dumps({"settings": {"seed": 1, "names": ["a"]}}))
    (tmp_path / "model.pt").touch()
    folder = tmp_path / "evaluation"
    folder.mkdir()
    (folder / "evaluation.md").write_text("| AUROC | 0.9 |")
    for seed, taken in ((1, True), (2, False)):
        (folder / "evaluation.json").write_text(json.dumps({"settings": {"task": "classification", "seed": seed}}))
        assert bool(read_run(tmp_path / "model.pt", KINDS["classification"], None).table) == taken
    with pytest.raises(CxrError, match="of other weights: they differ in seed"):
        read_run(tmp_path / "model.pt", KINDS["classification"], folder)


def test_what_does_not_fit_is_refused_before_anything_is_written(
    trained: SimpleNamespace, trained_task: Callable[[str], SimpleNamespace], tmp_path: Path
) -> None:
    encoder, classifier = trained.models / "model.pt", trained_task("classification").models / "model.pt"
    for task, weights, said in (
        ("pretraining", encoder, "does not fit this network.* Is `encoder` the one"),  # its card knows no widen_factor
        ("segmentation", classifier, "was trained for classification"),
        ("classification", tmp_path / "absent.pt", "No weights at"),
    ):
        with pytest.raises(CxrError, match=said):
            pack(task, weights, tmp_path / "dist")
    with pytest.raises(CxrError, match="no 'hidden_layers'"):
        pack("pretraining", encoder, tmp_path / "dist", settings=THIN | {"hidden_layers": 3})
    with pytest.raises(CxrError, match=r"No evaluation\.json"):
        pack("classification", classifier, tmp_path / "dist", evaluation=tmp_path)
    assert not (tmp_path / "dist").exists()


def test_a_transformers_folder_becomes_its_configuration(tmp_path: Path) -> None:
    from transformers import ViTConfig, ViTModel

    from scripts.tasks.segmentation.network import Segmenter

    small = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    config = ViTConfig(**small, image_size=32, patch_size=8)
    ViTModel(config).save_pretrained(tmp_path / "vit")
    network = Segmenter(str(tmp_path / "vit"), 1)
    torch.save(network.state_dict(), tmp_path / "model.pt")
    settings = {"encoder": str(tmp_path / "vit"), "names": ["lungs"], "image_size": 32}
    (tmp_path / "model.json").write_text(json.dumps({"settings": {"task": "segmentation", **settings}}))
    root = pack("segmentation", tmp_path / "model.pt", tmp_path / "dist")
    for name in ("train", "inference"):
        text = (root / "configs" / f"{name}.json").read_text()
        assert json.loads(text)["encoder"]["model_type"] == "vit"
        assert str(tmp_path) not in text
    assert str(tmp_path) not in (root / "docs" / "README.md").read_text()
    shutil.rmtree(tmp_path / "vit")
    found = _load(root, "Segmenter")
    assert all(torch.equal(found[key], value) for key, value in network.state_dict().items())


@pytest.mark.parametrize("task", ["pretraining", "segmentation"])
def test_an_adapted_encoder_goes_along_without_the_folder_that_it_stands_on(task: str, tmp_path: Path) -> None:
    from transformers import ViTConfig, ViTModel

    from scripts.encoders.pooled import PooledEncoder
    from scripts.pretraining.adaptor import Adaptor
    from scripts.tasks.segmentation.network import Segmenter

    small = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    ViTModel(ViTConfig(**small, image_size=32, patch_size=8)).save_pretrained(tmp_path / "vit")
    options = {"body": str(tmp_path / "vit"), "tokens": "patch", "width": 24, "heads": 3, "hidden": 32}
    settings = {"encoder": "adaptor", "encoder_options": options, "image_size": 32}
    network: torch.nn.Module = PooledEncoder("adaptor", options)
    if task == "pretraining":
        torch.save(Adaptor(network, text_dim=8).state_dict(), tmp_path / "pretraining.pt")
        settings |= {"method": "adaptor", "language_model_identity": {"dim": 8}}
    else:
        network = Segmenter("adaptor", 1, encoder_options=options)
        settings |= {"task": task, "names": ["lungs"]}
    torch.save(network.state_dict(), tmp_path / "model.pt")
    (tmp_path / "model.json").write_text(json.dumps({"settings": settings}))
    root = pack(task, tmp_path / "model.pt", tmp_path / "dist")
    assert not any(str(tmp_path) in path.read_text() for path in root.rglob("*.[jm][sd]*"))
    assert (root / "models" / "pretraining.pt").exists() == (task == "pretraining")
    shutil.rmtree(tmp_path / "vit")
    found = _load(root, type(network).__name__)
    assert all(torch.equal(found[key], value) for key, value in network.state_dict().items())
    assert (root / "scripts" / "encoders" / "adapted.py").is_file()


@pytest.mark.parametrize("task", ["pretraining", "segmentation"])
def test_what_the_encoder_normalises_images_by_goes_along(task: str, tmp_path: Path) -> None:
    """MONAI's `load` copies the tensors that network_def has, and leaves out the others without a word."""
    from scripts.encoders.factory import load_encoder
    from scripts.tasks.segmentation.network import Segmenter

    options = {"widen_factor": 0.25}
    network = load_encoder(build_encoder("resnet10", **options), None, 0.5, 0.25)
    settings: dict[str, Any] = {"encoder": "resnet10", "image_size": 32, "encoder_mean": [0.5], "encoder_std": [0.25]}
    own = {"network_def#widen_factor": 0.25, "method": "mflag"} if task == "pretraining" else {}
    if task == "segmentation":
        network = Segmenter(network, 1)
        settings |= {"task": task, "names": ["lungs"], "encoder_options": options}
    torch.save(network.state_dict(), tmp_path / "model.pt")
    (tmp_path / "model.json").write_text(json.dumps({"settings": settings}))
    root = pack(task, tmp_path / "model.pt", tmp_path / "dist", settings=own)
    found = _load(root, "ResNet" if task == "pretraining" else "Segmenter")
    assert found.keys() == network.state_dict().keys()
    assert all(torch.equal(found[key], value) for key, value in network.state_dict().items())
    assert sum(key.endswith(("conv1.scale", "conv1.shift")) for key in found) == 2


def _load(root: Path, kind: str) -> dict[str, torch.Tensor]:
    """State of what `monai.bundle.load` gives in this process, whose `scripts` are the project's own."""
    from monai.bundle import load

    network = load(root.name, bundle_dir=str(root.parent), device="cpu", workflow_type="inference")
    assert type(network).__name__ == kind
    state: dict[str, torch.Tensor] = network.state_dict()
    return state


def test_macros_are_expanded_as_deep_as_they_go(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"x": {"y": ["%b.json::z", "%local"]}, "local": 1}')
    (tmp_path / "b.json").write_text('{"z": {"deep": [1, 2]}}')
    given = {"one": "%a.json::x", "two": ["%a.json::x::y::0"], "run": "%training", "text": "100 %"}
    deep = {"deep": [1, 2]}
    assert expand(given, tmp_path) == {
        "one": {"y": [deep, "%local"]},
        "two": [deep],
        "run": "%training",
        "text": "100 %",
    }
    assert given["one"] == "%a.json::x"


@pytest.mark.parametrize("task", KINDS)
def test_no_macro_of_a_shared_file_names_its_neighbour(task: str) -> None:
    """`%id` without a file means another place once it is copied, so only a config's own may be left."""
    configs = read_configs(PROJECT, KINDS[task])
    for name, config in configs.items():
        left = set(re.findall(r'"%([^"]*)"', json.dumps(config)))
        assert left <= (configs["train"].keys() if name == "evaluate" else set()) | config.keys()


PACKAGES = sorted((PROJECT / "scripts").glob("*/**/__init__.py"))  # not the root's own, which packs have no use for


@pytest.mark.parametrize("path", PACKAGES, ids=lambda path: path.parent.name)
def test_a_package_only_imports_what_it_exports(path: Path) -> None:
    """What the pack relies on: an `__init__` is a docstring, imports from modules without `as`, and `__all__`."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ImportFrom):
            assert not any(alias.asname or alias.name == "*" for alias in node.names)
        elif isinstance(node, ast.Assign):
            assert ast.unparse(node.targets[0]) == "__all__"
        else:
            assert isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def test_only_what_is_named_comes_along(tmp_path: Path) -> None:
    files = {
        "__init__": '"""Whole."""\n',
        "errors": "class E(Exception): ...\n",
        "a/__init__": '"""A."""\nfrom .one import One, Uno\nfrom .two import Two\n',
        "a/one": "from ..errors import E\nclass One: ...\nclass Uno: ...\n",
        "a/two": "import numpy\nfrom ..b import make\nclass Two: ...\n",
        "b/__init__": '"""B."""\nfrom .maker import make, other\n',
        "b/maker": "def make():\n    from . import late\ndef other(): ...\n",
        "b/late": "import pandas as pd\n",
    }
    for name, text in files.items():
        file = tmp_path / "scripts" / f"{name}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    part = ScriptsPart(tmp_path)
    part.add_configs({"x": [{"_target_": "scripts.a.One"}], "y": "$scripts.errors.E", "z": "no scripts here"})
    assert part.modules == {"scripts.a.one", "scripts.errors"}
    assert part.third_party() == set()
    part.add("scripts.a.Two")
    assert part.modules == {f"scripts.{name}" for name in ("a.one", "a.two", "b.maker", "b.late", "errors")}
    assert part.third_party() == {"numpy", "pandas"}
    part.write(tmp_path / "out")
    names: dict[str, Any] = {}
    text = (tmp_path / "out" / "scripts" / "a" / "__init__.py").read_text()
    assert ast.get_docstring(ast.parse(text)) == "A."
    assert "Uno" not in text
    exec(text.split("__all__")[1].join(["__all__", ""]), names)
    assert names["__all__"] == ["One", "Two"]
    assert "other" not in (tmp_path / "out" / "scripts" / "b" / "__init__.py").read_text()
    with pytest.raises(CxrError, match=r"scripts\.a exports no Three"):
        part.add("scripts.a.Three")
