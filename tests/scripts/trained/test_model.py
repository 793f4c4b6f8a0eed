"""What `load` gives says what the configs' own runs say, whatever form an image has."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from pydicom import dcmread

import scripts
from bundle.__main__ import main
from scripts.data.masks import decode_rle
from scripts.errors import CxrError
from scripts.radiograph import read_dicom_image
from scripts.trained import Model, load

TASKS = ("classification", "segmentation", "detection")
REPORT = "The heart is enlarged. There is no pleural effusion."
THIN: dict[str, Any] = {
    "network_def#widen_factor": 0.25
}  # the fixtures' network has it, and the card knows switches alone


@pytest.fixture(scope="module")
def files(demo_folder: Path) -> list[Path]:
    return sorted((demo_folder / "dicom").iterdir())[:3]


@pytest.fixture(scope="module")
def encoder(trained: SimpleNamespace) -> Model:
    own: dict[str, Any] = {"method#hidden_dim": 64, "method#out_dim": 32}
    return load(trained.models / "model.pt", **THIN, **own)


def test_it_embeds_as_inference_does(
    encoder: Model, trained: SimpleNamespace, inference_overrides: dict[str, Any], run_config: Callable[..., Any],
    files: list[Path], tmp_path: Path,
) -> None:  # fmt: skip
    run_config(["inference.json"], tmp_path, kind="infer", **{**inference_overrides, "ckpt_dir": str(trained.models)})
    table = pd.read_parquet(tmp_path / "runs" / "inference" / "embeddings.parquet").set_index("image")
    expected = np.stack([table.loc[file.name, "embedding"] for file in files])
    found = encoder.embed(files)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(encoder.embed(str(files[0])), expected[0], atol=1e-5)


def test_a_file_a_data_set_and_an_array_are_one_image(encoder: Model, files: list[Path], tmp_path: Path) -> None:
    expected = encoder.embed(files[0])
    np.testing.assert_allclose(encoder.embed(dcmread(files[0])), expected, atol=1e-6)
    # At the reader's own size, and made a picture of: the array and the picture hold what a viewer shows.
    pixels, _ = read_dicom_image(files[0], encoder.image_size)
    np.testing.assert_allclose(encoder.embed(pixels), expected, atol=1e-5)
    low, high = pixels.min(), pixels.max()
    grey = np.rint((pixels - low) / (high - low) * 65535).astype(np.uint16)
    cv2.imwrite(str(tmp_path / "grey.png"), grey)
    colours = np.stack([grey >> 8] * 3, axis=-1).astype(np.uint8)
    Image.fromarray(colours).save(tmp_path / "colours.png")
    from_file, from_array = encoder.embed(tmp_path / "colours.png"), encoder.embed(colours)
    np.testing.assert_allclose(from_array, from_file, atol=1e-6)
    # 16 and 8 bits are other rounding than the reader's floats, about a grey level in 256 of the standard image.
    for found, most in ((encoder.embed(tmp_path / "grey.png"), 0.05), (from_file, 0.2)):
        assert np.linalg.norm(found - expected) < most * np.linalg.norm(expected)


def test_images_and_texts_are_compared_as_the_evaluation_does(
    encoder: Model, trained: SimpleNamespace, tiny_overrides: dict[str, Any], run_config: Callable[..., Any],
    files: list[Path], tmp_path: Path,
) -> None:  # fmt: skip
    run = run_config(
        ["train.json", "evaluate.json"], tmp_path, run=False, run_id="evaluating",
        **{**tiny_overrides, "ckpt_dir": str(trained.models)},
    )  # fmt: skip
    space = run.parser.get_parsed_content("shared_space")
    texts = [REPORT, "Normal chest."]
    expected = space.project_images(torch.from_numpy(encoder.embed(files))) @ space.project_texts(texts).T
    found = encoder.similarity(files, texts)
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-5)
    assert (np.abs(found) <= 1 + 1e-6).all()
    np.testing.assert_allclose(encoder.similarity(files[1], texts[1]), expected[1, 1].numpy(), atol=1e-5)


def test_a_heat_map_lies_on_the_original(encoder: Model, files: list[Path]) -> None:
    found = encoder.heat_map(files[0], REPORT)
    header = dcmread(files[0], stop_before_pixels=True)
    assert found.shape == (header.Rows, header.Columns)
    assert np.abs(found).max() <= 1 + 1e-6
    assert not np.allclose(found, encoder.heat_map(files[0], "Pneumothorax."))


@pytest.mark.parametrize("task", TASKS)
def test_it_predicts_as_inference_does(
    task: str, trained_task: Callable[[str], SimpleNamespace], task_overrides: Callable[[str], dict[str, Any]],
    demo_folder: Path, run_config: Callable[..., Any], files: list[Path], tmp_path: Path,
) -> None:  # fmt: skip
    models = trained_task(task).models
    own = {"format": "rle"} if task == "segmentation" else {}
    keys = ("encoder", "encoder_options", "image_size", "names", "batch_size", "precision", "num_workers")
    overrides = {key: task_overrides(task)[key] for key in keys} | own
    run_config(
        [f"{task}/inference.json"], tmp_path, kind="infer",
        **{**overrides, "dataset_dir": str(demo_folder / "dicom"), "ckpt_dir": str(models)},
    )  # fmt: skip
    written = json.loads((tmp_path / "runs" / task / "inference" / "predictions.json").read_text())
    entries = {entry["image"]: entry for entry in written["images"]}
    model = load(models / "model.pt", precision="float32")
    assert (model.task, model.names) == (task, overrides["names"])
    assert model.config.get("score_threshold") == (0.3 if task == "detection" else None)  # of inference.json
    for file, found in zip(files, model.predict(files), strict=True):
        expected = entries[file.name]
        if task == "classification":
            assert found["probabilities"] == pytest.approx(expected["probabilities"], abs=1e-5)
        elif task == "detection":
            assert len(found["boxes"]) == len(expected["boxes"])
            for one, other in zip(found["boxes"], expected["boxes"], strict=True):
                assert one["xyxy"] == pytest.approx(other["xyxy"], abs=0.05)
        else:
            shape = (expected["height"], expected["width"])
            for one, other in zip(found["masks"], expected["masks"], strict=True):
                assert one["mask"].shape == shape
                assert (one["mask"] != decode_rle(other["rle"], shape)).mean() < 1e-4
    assert model.embed(files).shape[0] == len(files)


def test_two_packs_live_in_one_process(
    trained_task: Callable[[str], SimpleNamespace], files: list[Path], tmp_path: Path
) -> None:
    tasks = ("classification", "detection")
    for task in tasks:
        weights = trained_task(task).models / "model.pt"
        assert main(["pack", task, "--weights", str(weights), "--out", str(tmp_path)]) == 0
    models = {task: load(tmp_path / f"cxr_{task}") for task in tasks}
    packages = {type(model.network).__module__.split(".")[0] for model in models.values()}
    assert len(packages) == 2 and "scripts" not in packages
    for task, model in models.items():
        own = load(trained_task(task).models / "model.pt")
        np.testing.assert_allclose(model.embed(files), own.embed(files), atol=1e-6)
        assert str(model.predict(files[0])) == str(own.predict(files[0]))


def test_torch_comes_out_where_it_is_asked_for(trained: SimpleNamespace, files: list[Path]) -> None:
    assert isinstance(load(trained.models, output="torch", **THIN).embed(files[0]), torch.Tensor)
    assert scripts.load is load


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("nowhere", "No weights at .*nowhere"),
        ("no card", "has no model.json beside it"),
        ("no task", "no task to predict"),
        ("no space", "No space for images and texts"),
        ("no radiograph", "not a readable radiograph"),
        ("no image", r"this array is \(4,\)"),
    ],
)
def test_what_cannot_be_is_said_in_plain_words(
    what: str, message: str, encoder: Model, trained: SimpleNamespace,
    trained_task: Callable[[str], SimpleNamespace], files: list[Path], tmp_path: Path,
) -> None:  # fmt: skip
    (tmp_path / "model.pt").write_bytes((trained.models / "model.pt").read_bytes())
    header = dcmread(files[0], stop_before_pixels=True)
    does: dict[str, Callable[[], Any]] = {
        "nowhere": lambda: load(tmp_path / "nowhere"),
        "no card": lambda: load(tmp_path / "model.pt"),
        "no task": lambda: encoder.predict(files[0]),
        "no space": lambda: load(trained_task("classification").models).similarity(files[0], REPORT),
        "no radiograph": lambda: encoder.embed(header),
        "no image": lambda: encoder.embed(np.zeros(4)),
    }
    with pytest.raises(CxrError, match=message):
        does[what]()
