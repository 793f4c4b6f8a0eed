"""The frozen language model: report texts in, one vector each out."""

from __future__ import annotations

import copy
import hashlib
import json
import logging
import os
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np
import torch
from tqdm import tqdm

from ..errors import CxrError
from ..precision import computes_bfloat16
from .model_files import ModelFiles
from .packaged import PACKAGED

logger = logging.getLogger(__name__)

# bfloat16 is used only if it turns none of these away from its float32 vector by more than this cosine.
_LEAST_COSINE = 0.999
_PROBE = (
    "No acute cardiopulmonary process.",
    "Small left pleural effusion with adjacent atelectasis. No pneumothorax.",
    "Heart size is mildly enlarged. Endotracheal tube tip projects 4 cm above the carina. Right internal jugular line "
    "ends in the lower superior vena cava. Patchy opacities in both lower lobes may represent pneumonia or aspiration. "
    "Compared with the prior radiograph, pulmonary edema has improved. No displaced rib fracture is seen.",
)


class FrozenLanguageModel:
    """A transformers encoder that only ever reads.

    Constructing one costs nothing and needs neither data nor network; the model is loaded at the first `embed`. It is
    no `torch.nn.Module`, so that no trainer puts it into train mode, no optimizer takes its weights and no checkpoint
    holds them; a copy or a pickle carries the specification alone.

    Args:
        model: "minilm" (installed with the project), a folder that holds a transformers model, or a hub id such as
            "microsoft/BiomedVLP-CXR-BERT-general".
        revision: of a hub id: branch, tag or commit.
        pooling: "mean" over the tokens, or "cls", the first token (M-FLAG's choice with CXR-BERT).
        max_length: tokens read of a text; what is longer is cut, and the log says how many were.
        device: where it runs; None is the GPU if there is one.
        dtype: "float32"; "bfloat16", given up with a message if it changes the vectors (cosine below 0.999); "auto" is
            bfloat16 where the hardware computes in it.
    """

    def __init__(
        self,
        model: str = "minilm",
        revision: str | None = None,
        pooling: Literal["mean", "cls"] = "mean",
        max_length: int = 256,
        device: str | torch.device | None = None,
        dtype: Literal["auto", "float32", "bfloat16"] = "auto",
    ) -> None:
        if pooling not in ("mean", "cls"):
            raise CxrError(f"Language model pooling '{pooling}': choose mean or cls.")
        if dtype not in ("auto", "float32", "bfloat16"):
            raise CxrError(f"Language model dtype '{dtype}': choose auto, float32 or bfloat16.")
        self.files = ModelFiles(str(model), revision)
        self.pooling = pooling
        self.max_length = max_length
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.dtype = dtype
        self._encoder: Any = None
        self._tokenizer: Any = None

    @property
    def dim(self) -> int:
        """Width of a vector, from the model's configuration: no weights are read."""
        if self.files.model in PACKAGED:
            return PACKAGED[self.files.model].dim
        from .stock_encoder import load_config

        return int(load_config(self.files.config_path()).hidden_size)

    def specification(self) -> dict[str, Any]:
        """What was asked for; `identity()` adds which revision that is."""
        return {
            "model": self.files.name,
            "pooling": self.pooling,
            "max_length": self.max_length,
            "dtype": self.dtype,
        }

    def identity(self) -> dict[str, Any]:
        """What decides the vectors: the specification and the resolved revision, a commit or a digest of the files."""
        return {**self.specification(), "revision": self.files.resolved_revision}

    def at_revision(self, revision: str) -> FrozenLanguageModel:
        """The same model at a revision of the hub."""
        other = copy.copy(self)
        other.files = ModelFiles(self.files.model, revision)
        return other

    @property
    def key(self) -> str:
        """Name of the folder that holds this model's vectors: the model's name and a hash of `identity()`."""
        digest = hashlib.blake2b(json.dumps(self.identity(), sort_keys=True).encode(), digest_size=6).hexdigest()
        return f"{self.files.name.replace('/', '--')}-{digest}"

    def load(self) -> None:
        """Load tokenizer and weights, if they are not loaded.

        Raises:
            CxrError: the model is not at hand, its files do not fit together, or `max_length` is more than it can read.
        """
        if self._encoder is not None:
            return
        from .stock_encoder import (
            load_encoder,
            load_tokenizer,
        )  # brings transformers, which a full store never needs

        # The pool of the tokenizer's threads does not survive the fork of a data loader's workers.
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        folder = self.files.folder()
        encoder: Any = load_encoder(folder)
        self._tokenizer = load_tokenizer(folder)
        # RoBERTa's table has two rows more than it reads tokens; its tokenizer knows.
        readable = min(self._tokenizer.model_max_length, getattr(encoder.config, "max_position_embeddings", 1 << 30))
        if self.max_length > readable:
            raise CxrError(f"max_length {self.max_length}: {self.files.model} reads at most {readable} tokens.")
        if len(self._tokenizer) > encoder.config.vocab_size:
            raise CxrError(f"{folder}: the tokenizer has more words than the encoder; they are not of one model.")
        self._encoder = self._in_working_dtype(encoder.to(self.device))

    def parameter_count(self) -> int:
        """Number of its parameters; loads it."""
        self.load()
        return sum(parameter.numel() for parameter in self._encoder.parameters())

    def embed(self, texts: Sequence[str], progress: bool = False) -> np.ndarray:
        """Vectors of texts.

        Args:
            texts: n texts, none of them blank.
            progress: show a bar.

        Returns:
            Array [n, dim], float32, in the order of the texts.
        """
        vectors = np.empty((len(texts), self.dim), dtype=np.float32)
        for rows, part in self.embed_batches(texts, progress):
            vectors[rows] = part
        return vectors

    def embed_batches(self, texts: Sequence[str], progress: bool = False) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """As `embed`, batch by batch: (positions in `texts` [b], vectors [b, dim] float32), long texts first."""
        blank = next((i for i, text in enumerate(texts) if not text.strip()), None)
        if blank is not None:
            raise CxrError(f"Text {blank} is blank: leave out studies without a report (`prepare` marks them).")
        if not texts:
            return
        self.load()
        tokens = self._tokenize(texts)
        budget = 65_536 if self.device.type == "cuda" else 2_048
        with tqdm(total=len(texts), desc="reports", unit="report", disable=not progress) as bar:
            for rows in _length_buckets([len(ids) for ids in tokens], budget):
                yield rows, self._forward(self._encoder, [tokens[row] for row in rows])
                bar.update(len(rows))

    def _tokenize(self, texts: Sequence[str]) -> list[np.ndarray]:
        tokens: list[np.ndarray] = []
        cut = 0
        for start in range(0, len(texts), 1024):  # by parts, so that Python's integers do not pile up
            part = self._tokenizer(list(texts[start : start + 1024]), truncation=True, max_length=self.max_length)
            tokens.extend(np.asarray(ids, dtype=np.int64) for ids in part["input_ids"])
            cut += sum(bool(encoding.overflowing) for encoding in part.encodings or ())
        if cut:
            logger.warning("%d of %d texts are longer than %d tokens and were cut.", cut, len(texts), self.max_length)
        return tokens

    @torch.inference_mode()
    def _forward(self, encoder: Any, tokens: list[np.ndarray]) -> np.ndarray:
        longest = max(len(ids) for ids in tokens)
        input_ids = torch.full((len(tokens), longest), self._tokenizer.pad_token_id or 0)
        mask = torch.zeros_like(input_ids)
        for row, ids in enumerate(tokens):
            input_ids[row, : len(ids)] = torch.from_numpy(ids)
            mask[row, : len(ids)] = 1
        mask = mask.to(self.device)
        with torch.autocast(self.device.type, enabled=False):  # a trainer's autocast must not change what is stored
            hidden = encoder(input_ids=input_ids.to(self.device), attention_mask=mask).last_hidden_state.float()
        if self.pooling == "cls":
            return hidden[:, 0].cpu().numpy()
        weight = mask[..., None].float()
        return ((hidden * weight).sum(1) / weight.sum(1)).cpu().numpy()

    def _in_working_dtype(self, encoder: torch.nn.Module) -> torch.nn.Module:
        if self.dtype == "float32" or (self.dtype == "auto" and not computes_bfloat16(self.device)):
            return encoder
        half = copy.deepcopy(encoder).bfloat16()
        tokens = self._tokenize(_PROBE)
        exact, rounded = self._forward(encoder, tokens), self._forward(half, tokens)
        cosine = (exact * rounded).sum(1) / (np.linalg.norm(exact, axis=1) * np.linalg.norm(rounded, axis=1))
        if cosine.min() >= _LEAST_COSINE:
            return half
        logger.warning("%s runs in float32: bfloat16 turns its vectors to cosine %.4f.", self.files.name, cosine.min())
        return encoder

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_encoder": None, "_tokenizer": None}

    def __repr__(self) -> str:
        return f"FrozenLanguageModel({self.files.model!r}, pooling={self.pooling!r}, max_length={self.max_length})"


def _length_buckets(lengths: Sequence[int], budget: int) -> Iterator[np.ndarray]:
    """Positions of texts of about the same length, longest first; padded to its longest, a bucket fits the budget."""
    order = np.argsort(-np.asarray(lengths), kind="stable")
    start = 0
    while start < len(order):
        count = max(1, budget // lengths[order[start]])
        yield order[start : start + count]
        start += count
