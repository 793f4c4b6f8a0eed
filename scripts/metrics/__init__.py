"""Metrics that MONAI lacks or gets wrong: latent geometry, retrieval, linear probe, scores under every draw."""

from __future__ import annotations

from scripts.metrics.binary import (
    MACRO,
    Mode,
    auroc,
    weighted_auprc,
    weighted_auroc,
    weighted_class_auroc,
    weighted_sensitivity_at,
)
from scripts.metrics.collapse import first_collapse, why_collapsed
from scripts.metrics.collect import collect_values
from scripts.metrics.epoch_metrics import EpochFeatures, LatentGeometry, Retrieval
from scripts.metrics.hausdorff import hausdorff95
from scripts.metrics.label_retrieval import label_retrieval
from scripts.metrics.latent_geometry import (
    alignment,
    effective_rank,
    latent_geometry,
    mean_offdiag_correlation,
    rank_share,
    spectrum,
    uniformity,
)
from scripts.metrics.nearest import Index, nearest
from scripts.metrics.pointing import GroundingScore, Pointing, grounding_scores, point
from scripts.metrics.retrieval import flatten_retrieval, retrieval
from scripts.metrics.validation_loss import ValidationLoss

__all__ = [
    "EpochFeatures",
    "GroundingScore",
    "Index",
    "LatentGeometry",
    "MACRO",
    "Mode",
    "Pointing",
    "Retrieval",
    "ValidationLoss",
    "alignment",
    "auroc",
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
    "weighted_auprc",
    "weighted_auroc",
    "weighted_class_auroc",
    "weighted_sensitivity_at",
    "why_collapsed",
]
