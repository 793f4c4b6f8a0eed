"""Latent geometry and retrieval as Ignite metrics: `key_val_metric` and `additional_metrics` of MONAI's evaluator."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import ignite.distributed as idist
import torch
from ignite.engine import Engine
from ignite.metrics import Metric
from torch import Tensor

from ..errors import CxrError
from .collect import collect_values
from .latent_geometry import alignment, latent_geometry, spectrum
from .retrieval import flatten_retrieval, retrieval


class EpochFeatures(Metric):
    """Keeps what the network gave for each image of an epoch, over all ranks, and scores it at the end.

    `engine.state.metrics` receives every score under its own name, and the one called `main` under the metric's name,
    so that it can be MONAI's key metric. Only numbers go there: MLflow and TensorBoard handlers refuse anything else.

    Args:
        main: the score that stands under the metric's name.
        features: keys of `engine.state.output["pred"]` to keep; with none, `pred` itself is the features.
        texts: keys of `engine.state.batch` to keep.
        optional: further keys of `pred`, for scores of those networks that give them.
    """

    def __init__(
        self, main: str, features: Sequence[str], texts: Sequence[str] = (), optional: Sequence[str] = ()
    ) -> None:
        self.main, self.texts, self.optional = main, tuple(texts), tuple(optional)
        self.features = (*features, *optional)
        super().__init__()

    def reset(self) -> None:
        self._parts: dict[str, list[Any]] = {key: [] for key in (*self.features, *self.texts, "image_id")}

    def iteration_completed(self, engine: Engine) -> None:
        self.update((engine.state.output, engine.state.batch))

    def update(self, output: tuple[Any, Any]) -> None:
        """Keep one batch.

        Args:
            output: (`engine.state.output`, `engine.state.batch`), as dicts or decollated.
        """
        result, batch = output
        for key in self.features:
            value = collect_values(result, "pred", key)
            if value is None and key in self.optional:
                continue
            if value is None:
                raise CxrError(
                    f"{type(self).__name__}: the network's output has no '{key}'; its forward must return it."
                )
            self._parts[key].append(value.float())
        for key in self.texts:
            value = collect_values(batch, key)
            if value is None:
                raise CxrError(f"{type(self).__name__}: the batch has no '{key}'; the validation items must carry it.")
            self._parts[key].extend(str(text) for text in value)
        self._parts["image_id"].extend(collect_values(batch, "image_id") or [])

    def compute(self) -> dict[str, float]:
        """Scores of the epoch; every rank gets the same."""
        local = {
            key: torch.cat(parts) if key in self.features and parts else parts for key, parts in self._parts.items()
        }
        ranks = [rank for rank in idist.all_gather(local) if len(rank[self.features[0]])]  # type: ignore[union-attr]
        if not ranks:
            raise CxrError(f"{type(self).__name__} saw no image: the validation list is empty.")
        given = [key for key in self.features if len(ranks[0][key])]
        epoch: dict[str, Any] = {key: torch.cat([rank[key] for rank in ranks]) for key in given}
        epoch |= {key: [text for rank in ranks for text in rank[key]] for key in (*self.texts, "image_id")}
        return self.score(_without_repeats(epoch))

    def completed(self, engine: Engine, name: str) -> None:
        scores = self.compute()
        if self.main not in scores:
            raise CxrError(f"{type(self).__name__}(main='{self.main}') is not one of its scores: {', '.join(scores)}.")
        engine.state.metrics.update(scores)
        engine.state.metrics[name] = scores[self.main]

    @abstractmethod
    def score(self, epoch: dict[str, Any]) -> dict[str, float]:
        """Scores of the gathered columns: `[n, d]` tensors and lists of n texts."""


class LatentGeometry(EpochFeatures):
    """Effective rank, spectrum, spread, redundancy and uniformity of the image features, each epoch, for any method.

    `singular_values` holds the last epoch's spectrum for the picture. Where the network also gives both projections,
    `alignment` (Wang & Isola 2020) is added.

    Args:
        main: the score under the metric's own name.
        key: features in `engine.state.output["pred"]`.
        projections: image and text projections to align, where the network gives them; None = leave out.
    """

    def __init__(
        self,
        main: str = "effective_rank",
        key: str = "image_features",
        projections: tuple[str, str] | None = ("image_projection", "text_projection"),
    ) -> None:
        self.key, self.projections = key, projections
        self.singular_values: Tensor | None = None
        super().__init__(main, (key,), optional=projections or ())

    def score(self, epoch: dict[str, Any]) -> dict[str, float]:
        self.singular_values = spectrum(epoch[self.key])
        scores = latent_geometry(epoch[self.key], self.singular_values)
        if self.projections is not None and all(key in epoch for key in self.projections):
            scores["alignment"] = alignment(*(epoch[key] for key in self.projections))
        return scores


class Retrieval(EpochFeatures):
    """Image-report retrieval within the validation set, each epoch (function `retrieval`, values without intervals).

    Images without a report are left out. `image_to_report_chance` and `report_to_image_chance` are the chance levels of
    P@1.

    Args:
        main: the score under the metric's own name.
        ks: cut-offs.
        report: key of the report's text in the batch; equal texts are hits of each other.
    """

    def __init__(
        self, main: str = "image_to_report_p_at_1", ks: Sequence[int] = (1, 5, 10), report: str = "report"
    ) -> None:
        self.ks, self.report = tuple(ks), report
        super().__init__(main, ("image_projection", "text_projection"), (report,))

    def score(self, epoch: dict[str, Any]) -> dict[str, float]:
        told = [i for i, text in enumerate(epoch[self.report]) if text.strip()]
        if len(told) < 2:
            raise CxrError(
                f"Retrieval needs at least 2 validation images with a report, got {len(told)}: leave this metric out."
            )
        reports = [epoch[self.report][i] for i in told]
        result = retrieval(epoch["image_projection"][told], epoch["text_projection"][told], reports, ks=self.ks)
        chance = {f"{way}_chance": result[way]["p_at_1"].trivial for way in ("image_to_report", "report_to_image")}
        return flatten_retrieval(result) | (chance if 1 in self.ks else {})


def _without_repeats(epoch: dict[str, Any]) -> dict[str, Any]:
    """Keep each image once: a distributed sampler repeats some to give every rank the same number."""
    ids = epoch.pop("image_id")
    first = list({image_id: i for i, image_id in reversed(list(enumerate(ids)))}.values())
    if len(ids) == 0 or len(first) == len(ids):
        return epoch
    keep = sorted(first)
    return {key: value[keep] if isinstance(value, Tensor) else [value[i] for i in keep] for key, value in epoch.items()}
