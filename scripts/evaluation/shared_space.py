"""Images and reports in the space that a pre-training method made for both."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from scripts.image.weights import load_weights
from scripts.metrics import retrieval
from scripts.text import TextStore


class SharedSpace:
    """A method's projections, for retrieval between images and reports.

    Args:
        method: a module with `image_projector` and `text_projector`, on any device; it is changed in place.
        weights: of the whole module (`models/pretraining.pt`).
        text_store: gives the reports' embeddings.
        member: the encoder of the panel whose features `image_projector` expects.
    """

    def __init__(self, method: nn.Module, weights: str | Path, text_store: TextStore, member: str) -> None:
        self.method = load_weights(method, weights).cpu().eval()
        self.text_store = text_store
        self.member = member

    @torch.no_grad()
    def retrieve(
        self, features: torch.Tensor, reports: Sequence[str], patients: NDArray[np.str_], resamples: int = 1000
    ) -> dict[str, Any]:
        """Retrieval in both directions (`scripts.metrics.retrieval`).

        Args:
            features: of the member, `(n, d)`.
            reports: of each image; equal texts are hits of each other.
            patients: of each image, for the intervals.
            resamples: of the bootstrap.
        """
        self.text_store.ensure(reports)
        text = torch.from_numpy(self.text_store.lookup(reports))
        image = self.method.get_submodule("image_projector")(features)
        return retrieval(
            image, self.method.get_submodule("text_projector")(text), reports, groups=patients, resamples=resamples
        )
