"""Whatever is wrong with the input, a person reads one or two lines that say what, where and what to do."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
import torch
from monai.networks.nets import resnet18

from scripts.engine.workflow import explain
from tests.processes import Command

TRAIN, EVALUATE, INFERENCE = ["train.json"], ["train.json", "evaluate.json"], ["inference.json"]


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory, demo_folder: Path, trained: SimpleNamespace) -> Path:
    """One of each: tables that are none, weights that do not fit, folders without an image."""
    folder = tmp_path_factory.mktemp("bad")
    table = pd.read_csv(demo_folder / "demo.csv")[["image", "report", "patient_id"]]
    table["image"] = [str(demo_folder / name) for name in table["image"]]
    table.head(0).to_csv(folder / "header_only.csv", index=False)
    (folder / "no_bytes.csv").touch()
    table.rename(columns={"image": "path"}).to_csv(folder / "no_image_column.csv", index=False)
    table.assign(report=float("nan")).to_csv(folder / "nan_reports.csv", index=False)
    table.assign(image="gone.dcm").to_csv(folder / "gone.csv", index=False)
    form = {"spatial_dims": 2, "n_input_channels": 3, "bias_downsample": False, "feed_forward": False}
    other = resnet18(**form, widen_factor=0.25)
    torch.save(other.state_dict(), folder / "resnet18.pt")
    torch.save({"model": other.state_dict()}, folder / "nested.pt")
    (folder / "half.pt").write_bytes((trained.models / "model.pt").read_bytes()[:5000])
    (folder / "empty").mkdir()
    (folder / "no_dicom").mkdir()
    (folder / "no_dicom" / "letter.dcm").write_bytes(b"Dear colleague, enclosed please find")
    return folder


CASES: list[tuple[list[str], dict[str, Any], str]] = [
    (TRAIN, {"dataset_dir": "{bad}/nowhere"}, r"dataset_dir: .*nowhere is neither a folder made by prepare nor"),
    (TRAIN, {"dataset_dir": "{bad}/header_only.csv"}, r"header_only\.csv: the table has no rows"),
    (TRAIN, {"dataset_dir": "{bad}/no_bytes.csv"}, r"no_bytes\.csv cannot be read as a table"),
    (TRAIN, {"dataset_dir": "{bad}/no_image_column.csv"}, r"no_image_column\.csv: no column 'image'; it has path"),
    (TRAIN, {"dataset_dir": "{bad}/nan_reports.csv"}, r"nan_reports\.csv: all \d+ reports are empty"),
    (TRAIN, {"dataset_dir": "{bad}/gone.csv"}, r"of the 2\d images of the data list were tried and none can be read"),
    (TRAIN, {"image_size": 96}, r"stored with 64 pixels a side, but the config asks for 96: set image_size to 64"),
    (TRAIN, {"image_size": 96, "num_workers": 1}, r"stored with 64 pixels a side, but the config asks for 96"),
    (TRAIN, {"view": "LATERAL"}, r"no image with view=LATERAL .* its views are PA \d+, AP \d+"),
    (TRAIN, {"encoder": "resnet99"}, r"Cannot locate class or function path: 'resnet99'"),
    (TRAIN, {"encoder_weights": "{bad}/resnet18.pt"}, r"resnet18\.pt does not fit this network: \d+ unexpected"),
    (TRAIN, {"encoder_weights": "{bad}/nowhere.pt"}, r"No weights at .*nowhere\.pt"),
    (TRAIN, {"language_model": "{bad}/nowhere"}, r"Language model folder .*nowhere does not exist"),
    (TRAIN, {"pooling": "max"}, r"pooling 'max': choose mean or cls"),
    (TRAIN, {"precision": "float8"}, r"precision must be one of auto, float32, bfloat16, not 'float8'"),
    (TRAIN, {"orthogonality_where": "head"}, r"where must be 'features' or 'projections', not 'head'"),
    (EVALUATE, {}, r"No weights at .*model\.pt\. Train first"),
    (EVALUATE, {"weights": "{bad}/resnet18.pt"}, r"resnet18\.pt does not fit this network: \d+ unexpected"),
    (EVALUATE, {"weights": "{bad}/nested.pt"}, r"nested\.pt is not a raw state dict \(it holds model\)"),
    (EVALUATE, {"weights": "{bad}/half.pt"}, r"half\.pt is not a file of plain tensors"),
    (EVALUATE, {"ckpt_dir": "{models}", "shared_weights": "{bad}/gone.pt"}, r"No weights at .*gone\.pt"),
    (EVALUATE, {"ckpt_dir": "{models}", "labels": ["opacty"]}, r"no column 'label_opacty'; did you mean 'opacity'"),
    (EVALUATE, {"ckpt_dir": "{models}", "protocol": "6-fold"}, r"protocol must be split or 5-fold, not '6-fold'"),
    (EVALUATE, {"ckpt_dir": "{models}", "image_size": 96}, r"stored with 64 pixels a side"),
    (
        EVALUATE,
        {"ckpt_dir": "{models}", "dataset_dir": "{bad}/gone.csv", "num_workers": 1},
        r"of the data list were tried and none can be read",
    ),
    (INFERENCE, {}, r"No weights at .*model\.pt\. Train first"),
    (INFERENCE, {"weights": "{bad}/resnet18.pt"}, r"resnet18\.pt does not fit this network"),
    (INFERENCE, {"ckpt_dir": "{models}", "dataset_dir": "{bad}/nowhere"}, r"dataset_dir: .*nowhere is neither"),
    (INFERENCE, {"ckpt_dir": "{models}", "dataset_dir": "{bad}/empty"}, r"empty: no.* DICOM"),
    (INFERENCE, {"ckpt_dir": "{models}", "dataset_dir": "{bad}/no_dicom"}, r"None of the 1 images could be embedded"),
]


@pytest.mark.parametrize(
    ("files", "overrides", "words"),
    CASES,
    ids=[f"{files[-1]}-{'-'.join(map(str, overrides.values()))}" for files, overrides, _ in CASES],
)
def test_it_is_told_in_plain_words(
    bad: Path, tmp_path: Path, trained: SimpleNamespace, run_config: Callable[..., Any],
    tiny_overrides: dict[str, Any], inference_overrides: dict[str, Any],
    files: list[str], overrides: dict[str, Any], words: str,
) -> None:  # fmt: skip
    places = {"bad": bad, "models": trained.models}
    overrides = {key: value.format(**places) if isinstance(value, str) else value for key, value in overrides.items()}
    base = inference_overrides if files == INFERENCE else tiny_overrides
    with pytest.raises(Exception) as caught:
        run_config(
            files, tmp_path, kind="infer" if files == INFERENCE else "train",
            run_id="evaluating" if files == EVALUATE else "run", **base | overrides,
        )  # fmt: skip
    told = explain(caught.value)
    assert len(told.splitlines()) <= 2
    assert re.search(words, told), told


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"epoch": 3}, "Error: --epoch: configs/train.json has no such id. Did you mean --epochs?"),
        ({"image_size": 96, "num_workers": 1}, "was stored with 64 pixels a side"),
    ],
)
def test_the_plain_command_says_so_and_fails(
    tmp_path: Path, tiny_overrides: dict[str, Any], monai_command: Callable[..., Command],
    more: dict[str, Any], words: str,
) -> None:  # fmt: skip
    process = monai_command(
        "run", "training", config_file="configs/train.json", overrides=tiny_overrides | more, bundle_root=tmp_path
    )
    output = process.communicate()[0]
    assert process.returncode == 1
    assert "Traceback" not in output
    *_, error, trace = output.strip().splitlines()
    assert error.startswith("Error: ")
    assert words in error
    assert trace.startswith("(whole trace: ")
    file = Path(trace.removeprefix("(whole trace: ").removesuffix(")"))
    assert "Traceback" in file.read_text()
    file.unlink()
