"""Metrics that MONAI lacks or gets wrong: latent geometry, retrieval, linear probe, scores under every draw."""

from __future__ import annotations

from .binary import (
    Mode,
    class_aurocs,
    weighted_auroc,
)
from .collapse import first_collapse, why_collapsed
from .collect import collect_values
from .epoch_metrics import EpochFeatures, LatentGeometry, Retrieval
from .hausdorff import hausdorff95
from .label_retrieval import label_retrieval
from .latent_geometry import (
    alignment,
    effective_rank,
    latent_geometry,
    mean_offdiag_correlation,
    rank_share,
    spectrum,
    uniformity,
)
from .nearest import Index, nearest
from .pointing import GroundingScore, Pointing, grounding_scores, point
from .retrieval import flatten_retrieval, retrieval
from .validation_loss import ValidationLoss

__all__ = [
    "EpochFeatures",
    "GroundingScore",
    "Index",
    "LatentGeometry",
    "Mode",
    "Pointing",
    "Retrieval",
    "ValidationLoss",
    "alignment",
    "class_aurocs",
    "collect_values",
    "effective_rank",
    "first_collapse",
    "flatten_retrieval",
    "grounding_scores",
    "hausdorff95",
    "label_retrieval",
    "latent_geometry",
    "mean_offdiag_correlation",
    "nearest",
    "point",
    "rank_share",
    "retrieval",
    "spectrum",
    "uniformity",
    "weighted_auroc",
    "why_collapsed",
]
