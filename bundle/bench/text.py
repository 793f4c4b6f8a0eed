"""Embedding the reports once, against the language-model pass inside M-FLAG's published training step."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from bundle.bench.measure import Row, cpu_ms, one_thread
from scripts.errors import CxrError
from scripts.text import PACKAGED, FrozenLanguageModel
from scripts.text.stock_encoder import quiet_transformers

BAR = 15.0
# Words that are one token each in BERT's vocabulary.
_WORDS = "no acute process the heart is normal in size lungs are clear small left right pleural fluid with mild edema"


def run(rounds: int = 3, reports: int = 64, batch: int = 4, seed: int = 0) -> list[Row]:
    """CPU milliseconds a report, one thread, both ways in turn; medians over the rounds.

    The model is BERT-base with random weights, as large as CXR-BERT. Lengths follow a log-normal law with median 83 and
    95th percentile 193 tokens. The authors' way: float32, eager attention, every report padded to 512 tokens, first
    token of the last layer.

    Args:
        rounds: measurements of each way.
        reports: how many reports ours embeds in a round.
        batch: how many of them the authors' way takes (it costs the same for each).
        seed: of the lengths and the weights.

    Raises:
        CxrError: the two ways do not give the same vectors.
    """
    with one_thread(), TemporaryDirectory() as folder:
        encoder, tokenizer = _write_bert_base(Path(folder), seed)
        ours = FrozenLanguageModel(folder, pooling="cls", max_length=512, device="cpu")
        ours.load()
        ours_ms, theirs_ms = [], []
        for texts in _reports(rounds, reports, seed):
            theirs, cost = cpu_ms(partial(_authors, encoder, tokenizer, texts[:batch]))
            theirs_ms.append(cost / batch)
            vectors, cost = cpu_ms(partial(ours.embed, texts))
            ours_ms.append(cost / reports)
            _same(vectors[:batch], theirs)
    what = "one-off text embedding, length buckets, bf16 where exact"
    against = "the authors' language-model pass: fp32, padded to 512"
    return [Row.of(what, against, BAR, ours_ms, theirs_ms, n=rounds * reports)]


def _write_bert_base(folder: Path, seed: int) -> tuple[Any, Any]:
    """BERT-base with random weights, and the tokenizer of the packaged model, which has BERT's vocabulary."""
    from transformers import AutoTokenizer, BertConfig, BertModel

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoder = BertModel(BertConfig()).eval()
    with quiet_transformers():
        encoder.save_pretrained(folder)
    encoder.set_attn_implementation("eager")
    tokenizer = AutoTokenizer.from_pretrained(PACKAGED["minilm"].folder())
    tokenizer.save_pretrained(folder)
    return encoder, tokenizer


def _reports(rounds: int, count: int, seed: int) -> list[list[str]]:
    rng = np.random.default_rng(seed)
    lengths = np.exp(rng.normal(np.log(83), np.log(193 / 83) / 1.645, (rounds, count))).clip(8, 500).astype(int)
    return [[" ".join(rng.choice(_WORDS.split(), length - 2)) for length in row] for row in lengths]


@torch.no_grad()
def _authors(encoder: Any, tokenizer: Any, texts: list[str]) -> np.ndarray:
    tokens = tokenizer(texts, padding="max_length", truncation=True, max_length=512, return_tensors="pt")
    hidden = encoder(input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"]).last_hidden_state
    return hidden[:, 0].numpy()


def _same(ours: np.ndarray, theirs: np.ndarray) -> None:
    cosine = (ours * theirs).sum(1) / np.linalg.norm(ours, axis=1) / np.linalg.norm(theirs, axis=1)
    if cosine.min() < 0.999:
        raise CxrError(f"Text benchmark is void: the two ways differ (cosine {cosine.min():.4f}).")
