"""inference.json: a folder of DICOM files into a Parquet of embeddings."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from scripts.data.studies import read_studies
from scripts.predictions.embeddings import read_embeddings

RunConfig = Callable[..., Any]


@pytest.fixture(scope="module")
def archive(demo_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's files, two of them in a folder below, one that is no image, and one that is not asked for."""
    folder = tmp_path_factory.mktemp("archive") / "in"
    shutil.copytree(demo_folder / "dicom", folder)
    (folder / "below").mkdir()
    for path in sorted(folder.glob("*.dcm"))[:2]:
        path.rename(folder / "below" / path.name)
    (folder / "letter.dcm").write_bytes(b"Dear colleague")
    (folder / "notes.txt").touch()
    return folder


@pytest.fixture(scope="module")
def embedded(
    archive: Path, trained: SimpleNamespace, inference_overrides: dict[str, Any], run_config: RunConfig
) -> tuple[pd.DataFrame, dict[str, Any]]:
    overrides = inference_overrides | {"dataset_dir": str(archive), "ckpt_dir": str(trained.models), "num_workers": 1}
    run_config(["inference.json"], archive.parent, kind="infer", **overrides)
    return read_embeddings(archive.parent / "runs" / "inference" / "embeddings.parquet")


def test_each_file_has_a_row_that_names_it(archive: Path, embedded: tuple[pd.DataFrame, dict[str, Any]]) -> None:
    files = sorted(path.relative_to(archive).as_posix() for path in archive.rglob("*.dcm"))
    assert sorted(embedded[0]["image"]) == files
    assert embedded[0]["image_id"].is_unique


def test_a_file_that_is_no_image_has_its_reason_and_the_rest_goes_on(
    embedded: tuple[pd.DataFrame, dict[str, Any]],
) -> None:
    rows = embedded[0].set_index("image")
    bad = rows.loc["letter.dcm"]
    assert bad["embedding"] is None
    assert "not an image" in bad["error"]
    good = rows.drop(index="letter.dcm")
    assert good["error"].isna().all()
    vectors = np.stack(good["embedding"].to_list())
    assert vectors.shape == (36, 128)  # 512 channels of a ResNet-10, a quarter as wide
    assert vectors.std(axis=0).max() > 0


def test_the_file_says_which_weights_made_it(
    embedded: tuple[pd.DataFrame, dict[str, Any]], trained: SimpleNamespace
) -> None:
    digest = hashlib.sha256((trained.models / "model.pt").read_bytes()).hexdigest()
    expected = {"encoder": "resnet10", "image_size": 64, "dim": 128, "checkpoint": "model.pt", "sha256": digest}
    assert embedded[1] == expected


def test_the_prepared_store_gives_the_same_embeddings(
    tmp_path: Path, prepared: Path, embedded: tuple[pd.DataFrame, dict[str, Any]], trained: SimpleNamespace,
    inference_overrides: dict[str, Any], run_config: RunConfig,
) -> None:  # fmt: skip
    overrides = inference_overrides | {"dataset_dir": str(prepared), "ckpt_dir": str(trained.models)}
    run_config(["inference.json"], tmp_path, kind="infer", **overrides)
    stored = read_embeddings(tmp_path / "runs" / "inference" / "embeddings.parquet")[0].set_index("image_id")
    studies = read_studies(prepared).set_index("image_id")
    assert len(stored) == 36
    by_name = embedded[0].assign(name=embedded[0]["image"].map(lambda name: Path(name).name)).set_index("name")
    for image_id, row in stored.iterrows():
        raw = by_name.loc[Path(studies.loc[image_id, "image"]).name]
        np.testing.assert_allclose(row["embedding"], raw["embedding"], rtol=1e-4, atol=1e-5)


def test_the_embedding_is_that_of_the_encoder_alone(
    prepared: Path, tmp_path: Path, embedded: tuple[pd.DataFrame, dict[str, Any]], trained: SimpleNamespace,
    inference_overrides: dict[str, Any], run_config: RunConfig, demo_folder: Path,
) -> None:  # fmt: skip
    """The README's way by hand: network_def, its weights, the preprocessing, one file."""
    workflow = run_config(["inference.json"], tmp_path, kind="infer", run=False, **inference_overrides)
    network = workflow.network_def.eval()
    network.load_state_dict(torch.load(trained.models / "model.pt", weights_only=True), strict=True)
    file = sorted((demo_folder / "dicom").iterdir())[-1]
    image = workflow.preprocessing({"image": str(file)})["image"]
    assert image.shape == (3, 64, 64)
    with torch.no_grad():
        vector = network(image[None])[0].numpy()
    expected = embedded[0].set_index("image").loc[file.name, "embedding"]
    np.testing.assert_allclose(vector, expected, rtol=1e-4, atol=1e-5)
