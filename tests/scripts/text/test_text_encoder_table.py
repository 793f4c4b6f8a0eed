"""The table of text encoders in docs/encoders.md, cell by cell, on tiny random models of each family, and MiniLM.

The page is the expectation, as in the test of the image encoders; text_encoder_table.json holds what a tiny model of a
family needs besides `TINY`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModel, AutoTokenizer

from scripts.errors import CxrError
from scripts.text.language_model import FrozenLanguageModel

PAGE = (Path(__file__).parents[3] / "docs" / "encoders.md").read_text(encoding="utf-8")
SIZES: dict[str, dict[str, Any]] = json.loads(Path(__file__).with_name("text_encoder_table.json").read_text())
TINY = {
    "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48,
    "max_position_embeddings": 64, "pad_token_id": 0, "initializer_range": 0.3,
}  # fmt: skip
TEXTS = ["No acute process.", "Heart is normal in size. Lungs are clear.", "Small left effusion, mild edema.", "Clear."]
LETTERS = "abcdefghijklmnopqrstuvwxyzCHLNS.,"
BERTS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
FAIRSEQS = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
DONE, FAILED = "✓", "✗"


def rows() -> dict[str, dict[str, str]]:
    """The page's table: family -> cells by column."""
    lines = [line for line in PAGE.split("\n## Text encoders\n")[1].splitlines() if line.startswith("|")]
    head, _, *found = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {re.findall(r"`([\w-]+)`", row[0])[0]: dict(zip(head[1:], row[1:], strict=True)) for row in found}


def tokenizer(kind: str, form: str) -> Any:
    """The family's own tokenizer, with letters for a vocabulary."""
    if form == "words":
        special = ["<s>", "<pad>", "</s>", "<mask>", "[UNK]"] if kind == "mpnet" else BERTS
        vocabulary = {word: i for i, word in enumerate([*special, *LETTERS, *(f"##{letter}" for letter in LETTERS)])}
        kind = {"cxr-bert": "bert", "ernie": "bert", "nomic_bert": "bert", "convbert": "bert"}.get(kind, kind)
        return _stock(kind)(vocab=vocabulary, do_lower_case=False)
    special = BERTS if kind in ("deberta", "deberta-v2", "modernbert") else FAIRSEQS
    if form == "bytes":
        return _stock(kind)(vocab={word: i for i, word in enumerate([*special, *LETTERS, "Ġ"])}, merges=[])
    if form == "pieces":
        special = ["<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"] if kind == "albert" else special
        return _stock(kind)(vocab=[*((word, 0.0) for word in special), *((one, -1.0) for one in ("▁", *LETTERS))])
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    made = Tokenizer(models.BPE({word: i for i, word in enumerate([*BERTS, *LETTERS])}, [], unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", None, [("[CLS]", 2), ("[SEP]", 3)])
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    return transformers.PreTrainedTokenizerFast(tokenizer_object=made, **names)


def _stock(kind: str) -> Any:
    return transformers.models.auto.tokenization_auto.tokenizer_class_from_name(
        transformers.models.auto.tokenization_auto.TOKENIZER_MAPPING_NAMES[kind]
    )


def make(kind: str, folder: Path) -> Path:
    """Folder of a random model of the family with its tokenizer."""
    changes = dict(SIZES[kind])
    words = tokenizer(kind, changes.pop("tokenizer", "words"))
    stock = "bert" if kind == "cxr-bert" else kind
    settings = {**TINY, **changes, "vocab_size": len(words)}
    torch.manual_seed(0)
    AutoModel.from_config(AutoConfig.for_model(stock, **settings)).save_pretrained(folder)
    words.save_pretrained(folder)
    if kind == "cxr-bert":  # published under a name of its own, beside code that is never run
        config = json.loads((folder / "config.json").read_text())
        config |= {"model_type": kind, "auto_map": {"AutoModel": "modeling_cxrbert.CXRBertModel"}}
        (folder / "config.json").write_text(json.dumps(config))
        tokens = json.loads((folder / "tokenizer_config.json").read_text())
        tokens.pop("tokenizer_class", None)
        (folder / "tokenizer_config.json").write_text(json.dumps(tokens))
    return folder


def by_transformers(folder: Path, pooling: str) -> np.ndarray:
    """Vectors of one text at a time, unpadded, by transformers' documented use."""
    values = json.loads((folder / "config.json").read_text())
    kind = "bert" if values["model_type"] == "cxr-bert" else values["model_type"]
    config = AutoConfig.for_model(kind, **{key: values[key] for key in values if key not in ("model_type", "auto_map")})
    model = AutoModel.from_pretrained(folder, config=config, dtype=torch.float32).eval()
    words = AutoTokenizer.from_pretrained(folder, **({"tokenizer_type": "bert"} if kind == "bert" else {}))
    vectors = []
    for text in TEXTS:
        with torch.no_grad():
            hidden = model(**words(text, return_tensors="pt", return_token_type_ids=False)).last_hidden_state[0]
        vectors.append(hidden[0] if pooling == "cls" else hidden.mean(0))
    return torch.stack(vectors).numpy()


def embed(folder: Path, pooling: Any = "mean", dtype: Any = "float32") -> np.ndarray:
    return FrozenLanguageModel(str(folder), pooling=pooling, max_length=64, dtype=dtype, device="cpu").embed(TEXTS)


def pooled(folder: Path, pooling: str) -> None:
    """A padded batch gives what transformers gives for each text alone, and texts differ."""
    found = embed(folder, pooling)
    np.testing.assert_allclose(found, by_transformers(folder, pooling), rtol=1e-4, atol=1e-5)
    assert np.abs(found - found[:1])[1:].max(axis=1).min() > 1e-3


def frozen(folder: Path) -> None:
    model = FrozenLanguageModel(str(folder), max_length=64, dtype="float32", device="cpu")
    first = model.embed(TEXTS)
    assert not model._encoder.training and not any(p.requires_grad for p in model._encoder.parameters())
    assert np.array_equal(model.embed(TEXTS), first)


def bfloat16(folder: Path) -> None:
    """Half the bytes turn no vector by more than a cosine of .999, or are given up."""
    exact, rounded = embed(folder), embed(folder, dtype="bfloat16")
    cosine = (exact * rounded).sum(1) / np.linalg.norm(exact, axis=1) / np.linalg.norm(rounded, axis=1)
    assert cosine.min() > 0.998  # the check is on other sentences


def strict(folder: Path) -> None:
    """A weight that the file lacks is named."""
    weights = load_file(folder / "model.safetensors")
    gone = next(key for key in weights if key.endswith("weight") and "embed" not in key and "pooler" not in key)
    save_file({key: value for key, value in weights.items() if key != gone}, folder / "model.safetensors")
    try:
        with pytest.raises(CxrError, match=re.escape(gone.split(".", 1)[1])):
            embed(folder)
    finally:
        save_file(weights, folder / "model.safetensors")


COLUMNS: dict[str, Callable[[Path], None]] = {
    "mean": lambda folder: pooled(folder, "mean"),
    "cls": lambda folder: pooled(folder, "cls"),
    "frozen": frozen,
    "bfloat16": bfloat16,
    "a weight missing": strict,
}


def sweep(kind: str, folder: Path) -> None:
    """Tries each cell of a row that is not blank, and compares with the page."""
    wanted = {column: cell.partition(" [")[0] for column, cell in rows()[kind].items()}
    assert list(wanted) == list(COLUMNS)
    found, errors = dict(wanted), {}
    for column, attempt in COLUMNS.items():
        if wanted[column]:
            try:
                attempt(folder)
                found[column] = DONE
            except Exception as error:
                found[column], errors[column] = FAILED, f"{type(error).__name__}: {error}"[:300]
    assert found == wanted, errors


@pytest.mark.parametrize("kind", SIZES)
def test_a_row_is_as_the_page_has_it(kind: str, tmp_path: Path) -> None:
    sweep(kind, make(kind, tmp_path))


def test_the_packaged_minilm() -> None:
    sweep("minilm", FrozenLanguageModel("minilm").files.folder())


def test_the_page_and_the_sizes_have_the_same_rows() -> None:
    assert list(rows()) == [*SIZES, "minilm"]
    assert all(f"\n[{note}] " in PAGE for note in re.findall(r"✗ \[(\w+)\]", PAGE) if note != "note")
