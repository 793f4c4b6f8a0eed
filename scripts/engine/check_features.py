"""Weights of another project that see wrong images give every image one vector: told before the first step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine, Events
from torch import Tensor

from ..data.sampling import StudyDataset
from ..encoders.factory import wrap_encoder
from ..encoders.weights import RANDOM
from ..errors import CxrError
from ..metrics.collapse import POINT
from ..metrics.latent_geometry import uniformity
from .state import unwrap

_DIFFERENT = 0.05  # least mean deviation over images, in those of their pixels, that two pictures are told apart by


class CheckFeatures:
    """Handler that shows an encoder with loaded weights a few images before a run's first step.

    Args:
        network: has an `encoder`.
        dataset: whose images are shown, as they are in validation.
        weights: what the encoder was loaded from; without any, or "random", nothing is checked: a deep network of
            random weights may give nearly one vector, and a run that goes on is not judged here.
        images: how many are looked at, evenly spaced.
    """

    def __init__(
        self, network: torch.nn.Module, dataset: StudyDataset, weights: str | Path | None, images: int = 16
    ) -> None:
        self.network, self.dataset, self.images = network, dataset, images
        self.weights = None if weights == RANDOM else weights

    def attach(self, engine: Engine) -> None:
        """Registers on the trainer; list it after what resumes, and before what computes features."""
        if self.weights:
            engine.add_event_handler(Events.STARTED, self.check)

    @torch.no_grad()
    def check(self, engine: Engine) -> None:
        """Compares the images' vectors.

        Raises:
            CxrError: they are (nearly) one vector, of images that differ, or no numbers.
        """
        images = self._look() if engine.state.iteration == 0 else []
        if len(images) < 2:
            return
        encoder: Any = wrap_encoder(unwrap(self.network).get_submodule("encoder"))
        batch = torch.stack(images).to(next(encoder.parameters()).device)
        if float(batch.std(0).mean()) < _DIFFERENT:
            return
        was = encoder.body.training
        encoder.eval()
        found = encoder.frozen_features(batch).float().flatten(1)
        encoder.train(was)
        self._judge(found)

    def _judge(self, features: Tensor) -> None:
        why = ""
        if not features.isfinite().all():
            why = "vectors that are no finite numbers"
        elif uniformity(features) > POINT:
            spread = float(features.std(0).mean() / features.abs().mean().clamp_min(1e-30))
            why = f"(nearly) one vector: their deviation is {spread:.1e} of their size"
        if why:
            raise CxrError(
                f"With the weights of {self.weights} the encoder gives {len(features)} different images {why}. They "
                "want images of another normalisation: say --encoder_mean and --encoder_std, of an image from 0 to 1 "
                "(docs/encoders.md has those of other projects)."
            )

    def _look(self) -> list[Tensor]:
        """Images that can be read, of some that are evenly spaced."""
        data = self.dataset.data
        items = {str(item["image"]): item for item in (data[i * len(data) // self.images] for i in range(self.images))}
        rows = StudyDataset(list(items.values()), self.dataset.transform, unreadable="report")
        return [torch.as_tensor(row["image"]) for row in map(rows.__getitem__, range(len(rows))) if not row["error"]]
