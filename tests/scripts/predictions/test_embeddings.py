"""The embeddings file of an inference run under MONAI's evaluator."""

from __future__ import annotations

import hashlib
import logging

import cv2
import numpy as np
import pytest
import torch
from monai.data import DataLoader, Dataset
from monai.engines import SupervisedEvaluator
from monai.transforms import Compose, EnsureChannelFirstd, LoadImaged
from torch import nn

from scripts.errors import CxrError
from scripts.predictions.embeddings import EmbeddingWriter, read_embeddings


class MeanAndMax(nn.Module):
    def forward(self, image):
        return torch.stack([image.mean((1, 2, 3)), image.amax((1, 2, 3))], dim=1)


class InDict(MeanAndMax):
    def forward(self, image):
        return {"features": super().forward(image)}


def run(data, writer, decollate=False, network=None):
    engine = SupervisedEvaluator(
        device=torch.device("cpu"),
        val_data_loader=DataLoader(data, batch_size=2, num_workers=0),
        network=network or MeanAndMax(),
        prepare_batch=lambda batch, device, non_blocking, **_: (batch["image"], None),
        val_handlers=[writer],
        decollate=decollate,
    )
    engine.run()


def plain(n=5, **columns):
    return Dataset(
        [{"image": torch.full((1, 4, 4), float(i))} | {k: v[i] for k, v in columns.items()} for i in range(n)]
    )


@pytest.mark.parametrize("decollate", [False, True])
def test_files_read_by_monai_are_named_relative_to_the_root(tmp_path, decollate):
    (tmp_path / "in" / "a").mkdir(parents=True)
    names = ["a/x.png", "a/y.png", "x.png"]
    for i, name in enumerate(names):
        cv2.imwrite(str(tmp_path / "in" / name), np.full((4, 4), 10 * i, np.uint8))
    load = Compose([LoadImaged("image", reader="PILReader"), EnsureChannelFirstd("image")])
    data = Dataset([{"image": str(tmp_path / "in" / name)} for name in names], load)
    run(data, EmbeddingWriter(tmp_path / "out" / "e.parquet", root=tmp_path / "in"), decollate)
    table, _ = read_embeddings(tmp_path / "out" / "e.parquet")
    assert table["image"].tolist() == names
    assert table["image_id"].tolist() == [hashlib.blake2b(n.encode(), digest_size=16).hexdigest() for n in names]
    np.testing.assert_array_equal(np.stack(table["embedding"]), [[0, 0], [10, 10], [20, 20]])
    assert table["error"].isna().all()


@pytest.mark.parametrize("decollate", [False, True])
def test_an_unreadable_file_is_a_row_with_its_reason(tmp_path, caplog, decollate):
    data = plain(image_id=list("abcde"), error=["", "not a DICOM file", "", "", "not a DICOM file"])
    with caplog.at_level(logging.INFO):
        run(data, EmbeddingWriter(tmp_path / "e.parquet"), decollate)
    table, _ = read_embeddings(tmp_path / "e.parquet")
    assert table["image_id"].tolist() == list("abcde")
    assert [value is None for value in table["embedding"]] == [False, True, False, False, True]
    assert table["error"][1] == "not a DICOM file"
    assert "3 embeddings in" in caplog.text
    assert "2 images without embedding: not a DICOM file" in caplog.text


def test_model_identity_travels_with_the_file(tmp_path):
    weights = tmp_path / "model.pt"
    weights.write_bytes(b"weights")
    writer = EmbeddingWriter(tmp_path / "e.parquet", weights, {"method": "M-FLAG"}, key="features")
    run(plain(image_id=list("abcde")), writer, network=InDict())
    assert read_embeddings(tmp_path / "e.parquet")[1] == {
        "method": "M-FLAG",
        "dim": 2,
        "checkpoint": "model.pt",
        "sha256": hashlib.sha256(b"weights").hexdigest(),
    }


@pytest.mark.parametrize("given", [0, 8, 16])  # bytes of the id that the items bring along, as raw files do
def test_names_can_be_left_out_and_not_be_guessed_from_the_ids(tmp_path, given):
    names = [f"Doe^Jane/{i}.dcm" for i in range(5)]
    ids = {"image_id": [hashlib.blake2b(n.encode(), digest_size=given).hexdigest() for n in names]} if given else {}
    guesses = {hashlib.blake2b(n.encode(), digest_size=size).hexdigest() for n in names for size in range(1, 65)}
    found = []
    for number in range(2):
        path = tmp_path / f"{number}.parquet"
        run(plain(source=names, **ids), EmbeddingWriter(path, file_names=False))
        table, _ = read_embeddings(path)
        assert table["image"].isna().all()
        assert b"Doe" not in path.read_bytes()
        found += table["image_id"].tolist()
    assert len(set(found)) == 10  # no id is found in another file
    assert not set(found) & guesses


def test_ids_that_do_not_come_from_names_stay(tmp_path):
    data = plain(source=[f"Doe^Jane/{i}.dcm" for i in range(5)], image_id=list("abcde"))
    run(data, EmbeddingWriter(tmp_path / "e.parquet", file_names=False))
    assert read_embeddings(tmp_path / "e.parquet")[0]["image_id"].tolist() == list("abcde")


def test_a_second_run_starts_afresh(tmp_path):
    writer = EmbeddingWriter(tmp_path / "e.parquet")
    for _ in range(2):
        run(plain(image_id=list("abcde")), writer)
    assert len(read_embeddings(tmp_path / "e.parquet")[0]) == 5


def test_nothing_embedded_is_an_error_after_the_reasons_are_written(tmp_path):
    data = plain(2, image_id=["a", "b"], error=["truncated", "truncated"])
    with pytest.raises(CxrError, match="None of the 2 images"):
        run(data, EmbeddingWriter(tmp_path / "e.parquet"))
    assert read_embeddings(tmp_path / "e.parquet")[0]["error"].tolist() == ["truncated"] * 2


def test_not_finite_is_a_reason():
    writer = EmbeddingWriter("unused")
    engine = type("Engine", (), {})()
    engine.state = type("State", (), {})()
    engine.state.output = {"pred": torch.tensor([[1.0], [float("nan")]])}
    engine.state.batch = {"image_id": ["a", "b"]}
    writer.add(engine)
    assert [row["error"] for row in writer.rows] == [None, "the embedding is not finite"]


def test_images_that_cannot_be_told_apart_are_refused(tmp_path):
    with pytest.raises(CxrError, match="image_id or a source"):
        run(plain(), EmbeddingWriter(tmp_path / "e.parquet"))
    with pytest.raises(CxrError, match=r"one vector an image under pred\.features, got nothing"):
        run(plain(), EmbeddingWriter(tmp_path / "e.parquet", key="features"))
