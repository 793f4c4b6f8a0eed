"""Images, reports and prompts in the space that a pre-training method made for images and reports."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn
from torch.nn.functional import normalize

from ..encoders.card import read_card
from ..encoders.weights import load_weights
from ..errors import CxrError
from ..metrics.label_retrieval import label_retrieval
from ..metrics.nearest import Index
from ..metrics.retrieval import retrieval
from ..statistics.estimate import Estimate
from ..text.store import TextStore
from .prompts import Prompts, sentences

BY_FINDING = "finding_"  # before the name of a score whose hits have the same finding, beside those of the same pair

_DECIDES = ("revision", "pooling", "max_length")  # of a language model's identity; a folder may have another name


class SharedSpace:
    """A method's projections, for zero-shot classification, retrieval and grounding.

    A method without `project_text` has no such space; `reason` then says so, and nothing may be asked of it.

    Args:
        method: with `project_image`, `project_text` and `project_cells` (`scripts.pretraining.DualEncoder`), on any
            device; it is changed in place.
        weights: of the whole module (`models/pretraining.pt`).
        text_store: gives the embeddings of reports and prompts.
        member: the encoder of the panel whose features `project_image` expects.
        prompts: see `Prompts`.

    Attributes:
        reason: why there is no shared space; "" where there is one.
    """

    def __init__(
        self,
        method: nn.Module,
        weights: str | Path,
        text_store: TextStore,
        member: str,
        prompts: str | Path | None = None,
    ) -> None:
        name = type(method).__name__
        shared = hasattr(method, "project_image") and hasattr(method, "project_text")
        self.reason = "" if shared else f"{name} has no space that images and reports share"
        if shared:
            _check_language_model(weights, text_store)
        self.method: Any = load_weights(method, weights).cpu().eval() if shared else method
        self.text_store = text_store
        self.member = member
        self.prompts = Prompts(prompts)

    @torch.no_grad()
    def project_images(self, features: Tensor) -> Tensor:
        """Features of the member, `(n, d)`, to unit vectors `(n, out_dim)` on the CPU."""
        return self._unit(self.method.project_image(features.to(self._device)))

    @torch.no_grad()
    def project_texts(self, texts: Sequence[str]) -> Tensor:
        """Reports or prompts to unit vectors `(n, out_dim)` on the CPU; the store keeps their embeddings.

        Raises:
            CxrError: a text is not in the store, and the language model is not at hand.
        """
        text = torch.from_numpy(self._store(texts).lookup(texts))
        return self._unit(self.method.project_text(text.to(self._device)))

    def project_prompts(self, findings: Sequence[str]) -> Tensor:
        """Unit vectors `(c, 2, out_dim)`: what says that a finding is there, and what says that it is not.

        Each is the mean of the unit vectors of its sentences (the ensemble of CLIP, Radford et al. 2021, §3.1.4).
        """
        pairs = [self.prompts.of(finding) for finding in findings]
        texts = sentences(pairs)
        vectors = dict(zip(texts, self.project_texts(texts), strict=True))
        means = [torch.stack([vectors[text] for text in side]).mean(0) for pair in pairs for side in pair]
        return normalize(torch.stack(means), dim=1).unflatten(0, (len(pairs), 2))

    @property
    def scale(self) -> float:
        """What the method multiplies cosines with; 1 for a method without a temperature."""
        log_scale = getattr(self.method, "log_scale", None)
        return 1.0 if log_scale is None else float(log_scale.detach().exp())

    def zero_shot(self, features: Tensor, findings: Sequence[str]) -> NDArray[np.float64]:
        """Log odds `[n, c]` that each image shows each finding; its sigmoid is the softmax of the scaled cosines with
        the finding's two prompts (CheXzero, Tiu et al. 2022), in which the surest images of a large scale would be
        equal.
        """
        positive, negative = self.project_prompts(findings).double().unbind(1)
        return (self.scale * (self.project_images(features).double() @ (positive - negative).T)).numpy()

    def retrieve(
        self,
        features: Tensor,
        reports: Sequence[str],
        patients: NDArray[np.str_],
        labels: ArrayLike | None = None,
        names: Sequence[str] = (),
        index: Index = "exact",
        resamples: int = 1000,
    ) -> dict[str, Any]:
        """Retrieval in both directions: `scripts.metrics.retrieval`, and with labels also by finding
        (`scripts.metrics.label_retrieval`), whose scores are called `finding_p_at_5`, ….

        Args:
            features: of the member, `(n, d)`.
            reports: of each image; equal texts are hits of each other.
            patients: of each image, for the intervals.
            labels: `(n, c)`, or None.
            names: of the findings.
            index: of the retrieval by finding; see `nearest`.
            resamples: of the bootstrap.
        """
        image, text = self.project_images(features), self.project_texts(reports)
        found = retrieval(image, text, reports, groups=patients, resamples=resamples)
        if labels is not None:
            for way, sides in (("image_to_report", (image, text)), ("report_to_image", (text, image))):
                by_finding = label_retrieval(*sides, labels, names, patients, index=index, resamples=resamples)
                found[way] |= {
                    f"{BY_FINDING}{name}": score for name, score in by_finding.items() if isinstance(score, Estimate)
                }
        return found

    @property
    def _device(self) -> torch.device:
        return next(self.method.parameters()).device

    def _store(self, texts: Sequence[str]) -> TextStore:
        try:
            self.text_store.ensure(texts)
            return self.text_store
        except CxrError:
            # A data set that cannot be written: for this run alone. A model that is not at hand is missed here again.
            own = TextStore(None, self.text_store.model)
            own.ensure(texts)
            return own

    @staticmethod
    def _unit(vectors: Tensor) -> Tensor:
        return normalize(vectors.float(), dim=-1).cpu()


def _check_language_model(weights: str | Path, text_store: TextStore) -> None:
    """Another model's embeddings of the same width would be projected without an error, to anywhere."""
    learned = read_card(weights).get("language_model_identity")
    if learned is None:
        return
    given = text_store.identity()
    if other := [key for key in _DECIDES if learned.get(key) != given[key]]:
        told = ", ".join(f"{key} {learned.get(key)} there, {given[key]} here" for key in other)
        raise CxrError(
            f"{weights} learned from reports that {learned.get('model')} read; the data set's are read by another "
            f"language model ({told}). Give --language_model (and --pooling) of the pre-training."
        )
