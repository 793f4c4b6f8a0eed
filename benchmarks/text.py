"""Reading and embedding each distinct report once, against once an image and against M-FLAG's published step."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import torch

from benchmarks.measure import Row, cpu_ms, interleaved, one_thread
from bundle.demo.plan import plan_studies
from bundle.demo.reports import write_report
from scripts.data.studies import read_reports
from scripts.errors import CxrError
from scripts.text.language_model import FrozenLanguageModel
from scripts.text.packaged import PACKAGED
from scripts.text.report import read_report
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
    cleaning_ms, rowwise_ms = _cleaning(rounds, seed)
    what = "one-off text embedding, length buckets, bf16 where exact"
    against = "the authors' language-model pass: fp32, padded to 512"
    return [
        Row.of(what, against, BAR, ours_ms, theirs_ms, n=rounds * reports),
        Row.of("cleaning each distinct report once", "once an image", None, cleaning_ms, rowwise_ms),
    ]


def _cleaning(rounds: int, seed: int, studies: int = 2_000, images: int = 3_310) -> tuple[list[float], list[float]]:
    """CPU milliseconds of cleaning a study table, both ways; as many images a study as MIMIC-CXR has."""
    rng = np.random.default_rng(seed)
    written = [write_report(plan, rng) for plan in plan_studies(studies, seed)]
    rows = [*written, *(written[i] for i in rng.integers(studies, size=images - studies))]
    table = pd.DataFrame({"report": rows})
    ways = {"once": lambda: read_reports(table), "each": lambda: [read_report(report=report) for report in rows]}
    costs = interleaved(ways, rounds)
    return costs["once"], costs["each"]


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
