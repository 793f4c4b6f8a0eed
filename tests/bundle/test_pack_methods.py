"""The pack of each pre-training method: what it says of itself, what its train.json trains, and the whole module."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from jsonschema import validate
from mlflow import MlflowClient
from monai.bundle import ConfigParser

from bundle.__main__ import main
from bundle.pack import pack
from scripts.encoders.weights import load_weights, read_weights
from scripts.errors import CxrError
from scripts.trained import load

PROJECT = Path(__file__).resolve().parents[2]
SIZES = {"method#hidden_dim": 64, "method#out_dim": 32}
THIN = {"network_def#widen_factor": 0.25}
BODY = {"body": "resnet10", "body_options": {"widen_factor": 0.25}, "tokens": "patch"}
ADAPTED = {"width": 24, "layers": 1, "heads": 3, "hidden": 48}


class Expected(SimpleNamespace):
    """A method's module, loss, their file, the arXiv number of its paper, and the ids that no card tells."""


METHODS = {
    "mflag": Expected(module="MFlag", loss="MFlagLoss", file="mflag", paper="2307.08347", own=THIN | SIZES),
    "mflag_reference": Expected(module="MFlag", loss="MFlagLoss", file="mflag", paper="2307.08347", own=THIN | SIZES),
    "convirt": Expected(module="ConVirt", loss="InfoNCELoss", file="infonce", paper="2010.00747", own=THIN | SIZES),
    "siglip": Expected(module="SigLip", loss="SigLipLoss", file="siglip", paper="2303.15343", own=THIN | SIZES),
    "supervised": Expected(module="Supervised", loss="SupervisedLoss", file="supervised", paper=None, own=THIN),
    "adaptor": Expected(module="Adaptor", loss="InfoNCELoss", file="adaptor", paper="2401.01179", own={}),
}
# Of the overlay, and so of its pack.
VALUES: dict[str, dict[str, Any]] = {
    "mflag_reference": {"orthogonality_where": "features", "orthogonality_weight": 1.0},
    "supervised": {"text_store": None, "names": ["opacity", "effusion"]},
    "adaptor": {"warmup": 0.02, "encoder": "adaptor", "encoder_options": {**BODY, **ADAPTED}},
}


@pytest.fixture(scope="module")
def pretrained(
    once: Callable[..., Path], tiny_overrides: dict[str, Any], run_config: Callable[..., Any]
) -> Callable[[str], Path]:
    """`pretrained(method)`: the models of one epoch."""

    def give(method: str) -> Path:
        gone = {*THIN, *SIZES, *(["orthogonality_weight"] if method == "mflag_reference" else [])}
        overrides = {key: value for key, value in tiny_overrides.items() if key not in gone} | METHODS[method].own
        if method == "supervised":
            overrides |= {"names": VALUES[method]["names"], "stop_on": "effective_rank"}
        if method == "adaptor":
            overrides |= {"encoder_options": BODY["body_options"], "encoder_weights": "random", "tokens": "patch"}
            overrides |= {f"adaptor_options#{key}": value for key, value in ADAPTED.items()} | {"features_dir": None}
        files = ["train.json", *([] if method == "mflag" else [f"{method}.json"])]
        run = once(f"of_{method}", lambda root: run_config(files, root, **overrides | {"epochs": 1}, run_name=method))
        return run / "models"

    return give


@pytest.fixture(scope="module")
def packed(pretrained: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """`packed(method)`: the pack."""
    out = tmp_path_factory.mktemp("dist")

    def give(method: str) -> Path:
        folder = out / method / "cxr_report_pretraining"
        if not folder.is_dir():
            pack("pretraining", pretrained(method) / "model.pt", out / method, settings=METHODS[method].own)
        return folder

    return give


@pytest.mark.parametrize("method", METHODS)
def test_the_run_records_its_method(method: str, pretrained: Callable[[str], Path], tracking_uri: str) -> None:
    for file in ("model.json", "pretraining.json"):
        assert json.loads((pretrained(method) / file).read_text())["settings"]["method"] == method
    client = MlflowClient(tracking_uri)
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    (run,) = client.search_runs(experiments, filter_string=f"attributes.run_name = '{method}'")
    assert run.data.params["method"] == method


@pytest.mark.parametrize("method", METHODS)
def test_the_pack_tells_of_its_method(method: str, packed: Callable[[str], Path]) -> None:
    root, paper = packed(method), METHODS[method].paper
    page = (root / "docs" / "README.md").read_text()
    metadata = json.loads((root / "configs" / "metadata.json").read_text())
    for text in (page, json.dumps(metadata)):
        assert set(re.findall(r"arXiv:(\d+\.\d+)", text)) == ({paper} if paper else set())
        assert ("M-FLAG" in text) == method.startswith("mflag")
        assert ("report" in metadata["description"].split("no report")[0]) == (method != "supervised")
    assert f"| method | {method} |" in page
    assert ("Vision-Language" in page) == (method != "supervised")
    assert ("a stock MONAI class" in page) == (method != "adaptor")
    assert "for `evaluating`" in page
    card = json.loads((root / "models" / "model.json").read_text())
    assert card == json.loads((root / "models" / "pretraining.json").read_text())
    assert card["settings"]["method"] == method and card["best"]["epoch"] == 1


@pytest.mark.parametrize("method", METHODS)
def test_the_metadata_keep_to_the_zoos_schema(method: str, packed: Callable[[str], Path]) -> None:
    schema = PROJECT.parent / "shared" / "reference" / "schema" / "meta_schema_20240725.json"
    if not schema.is_file():
        pytest.skip(f"no copy of the schema at {schema}: it lies beside the project, not in it")
    metadata = json.loads((packed(method) / "configs" / "metadata.json").read_text())
    validate(metadata, json.loads(schema.read_text()))


@pytest.mark.parametrize("method", METHODS)
def test_the_pack_trains_on_with_its_method(method: str, packed: Callable[[str], Path], prepared: Path) -> None:
    root, expected = packed(method), METHODS[method]
    config = json.loads((root / "configs" / "train.json").read_text())
    assert {key: config[key] for key in VALUES.get(method, {})} == VALUES.get(method, {})
    assert not [key for key in config if key.startswith(("_", "+")) or "#" in key]
    parser = ConfigParser(config)
    parser.update({"bundle_root": str(root), "dataset_dir": str(prepared), "num_workers": 0})
    module, loss = (parser.get_parsed_content(name) for name in ("method", "loss"))
    assert (type(module).__name__, type(loss).__name__) == (expected.module, expected.loss)
    # It starts from the packed encoder; what stands on it is there as well, to the last tensor.
    start = read_weights(root / "models" / "model.pt")
    assert all(torch.equal(value, start[key]) for key, value in module.encoder.state_dict().items())
    load_weights(module, root / "models" / "pretraining.pt")
    assert parser.get_parsed_content("settings")["method"] == method
    if method == "mflag_reference":
        assert (loss.key, loss.normalize, loss.weight) == ("image_features", "none", 1.0)
    if method == "supervised":
        assert module.head.out_features == 2 and parser.get_parsed_content("validate#key_metric")["auroc"]
    if method == "adaptor":
        assert not hasattr(module.encoder.encoder.inner.body, "inner")  # on the ResNet, and on no other Adaptor
    modules = {path.stem for path in (root / "scripts" / "pretraining").glob("*.py")}
    assert expected.file in modules
    assert not {"mflag", "siglip", "supervised", "adaptor"} & modules - {expected.file}


@pytest.mark.parametrize("method", METHODS)
def test_the_pack_is_loaded_with_its_space(method: str, packed: Callable[[str], Path], demo_folder: Path) -> None:
    image = sorted((demo_folder / "dicom").iterdir())[0]
    model = load(packed(method))
    assert model.embed(image).ndim == 1
    if method == "supervised":
        with pytest.raises(CxrError, match="Supervised has no space"):
            model.similarity(image, "Pleural effusion.")
    else:
        assert -1 <= float(model.similarity(image, "Pleural effusion.")) <= 1


def test_what_stands_on_the_encoder_is_not_left_out_without_a_word(
    pretrained: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = pretrained("convirt")
    with pytest.raises(CxrError, match=r"another shape.*--set method#hidden_dim"):
        pack("pretraining", models / "model.pt", tmp_path / "dist", settings=THIN)
    alone = tmp_path / "alone"
    alone.mkdir()
    for name in ("model.pt", "model.json"):
        (alone / name).write_bytes((models / name).read_bytes())
    # Of other weights than those that are packed.
    (alone / "pretraining.pt").write_bytes((pretrained("siglip") / "pretraining.pt").read_bytes())
    arguments = ["pack", "pretraining", "--weights", str(alone / "model.pt"), "--out", str(tmp_path / "dist")]
    assert main([*arguments, "--set", "network_def#widen_factor=0.25"]) == 0
    assert "Without projectors: no pretraining.pt of these weights" in capsys.readouterr().out
    root = tmp_path / "dist" / "cxr_report_pretraining"
    assert {path.name for path in (root / "models").iterdir()} == {"model.pt", "model.json"}
    assert "(`models/pretraining.pt`) is not in this pack" in (root / "docs" / "README.md").read_text()


@pytest.mark.parametrize(
    ("settings", "said"),
    [({}, "give --set method=NAME"), ({"method": "gloria"}, "trained by gloria, and there is no .*gloria.json")],
)
def test_a_method_that_is_not_known_is_asked_for(
    settings: dict[str, Any], said: str, pretrained: Callable[[str], Path], tmp_path: Path
) -> None:
    (tmp_path / "model.pt").write_bytes((pretrained("mflag") / "model.pt").read_bytes())
    own = THIN | {"encoder": "resnet10"} | settings
    with pytest.raises(CxrError, match=said):
        pack("pretraining", tmp_path / "model.pt", tmp_path / "dist", settings=own)
