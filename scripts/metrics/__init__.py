"""Metrics that MONAI lacks or gets wrong: latent geometry, retrieval, linear probe, patient-wise intervals."""

from __future__ import annotations

from scripts.metrics.bootstrap import (
    Difference,
    Interval,
    auroc,
    paired_difference,
    patient_weights,
    percentile_interval,
    weighted_auroc,
    weighted_mean,
)
from scripts.metrics.calibration import (
    Calibration,
    fit_temperature,
    probabilities,
    read_calibration,
    top_answer,
    weighted_ece,
)
from scripts.metrics.classification import Mode, weighted_auprc, weighted_macro_auroc, weighted_sensitivity_at
from scripts.metrics.classification_ignite import ClassificationScores, ValidationLoss
from scripts.metrics.collect import collect_values
from scripts.metrics.geometry import (
    alignment,
    effective_rank,
    latent_geometry,
    mean_offdiag_correlation,
    spectrum,
    uniformity,
)
from scripts.metrics.hausdorff import hausdorff95
from scripts.metrics.ignite_metrics import EpochFeatures, LatentGeometry, Retrieval
from scripts.metrics.linear_probe import (
    ProbeResult,
    ProbeRow,
    compare_probes,
    probe_cv,
    probe_split,
)
from scripts.metrics.retrieval import flatten_retrieval, retrieval
from scripts.metrics.segmentation import mask_counts, per_image_dice, weighted_macro_dice, weighted_positives_dice
from scripts.metrics.segmentation_scores import SegmentationScores
from scripts.metrics.thresholds import best_f1_threshold

__all__ = [
    "Calibration",
    "ClassificationScores",
    "Difference",
    "EpochFeatures",
    "Interval",
    "LatentGeometry",
    "Mode",
    "ProbeResult",
    "ProbeRow",
    "Retrieval",
    "SegmentationScores",
    "ValidationLoss",
    "alignment",
    "auroc",
    "best_f1_threshold",
    "collect_values",
    "compare_probes",
    "effective_rank",
    "fit_temperature",
    "flatten_retrieval",
    "hausdorff95",
    "latent_geometry",
    "mask_counts",
    "mean_offdiag_correlation",
    "paired_difference",
    "patient_weights",
    "per_image_dice",
    "percentile_interval",
    "probabilities",
    "probe_cv",
    "probe_split",
    "read_calibration",
    "retrieval",
    "spectrum",
    "top_answer",
    "uniformity",
    "weighted_auprc",
    "weighted_auroc",
    "weighted_ece",
    "weighted_macro_auroc",
    "weighted_macro_dice",
    "weighted_mean",
    "weighted_positives_dice",
    "weighted_sensitivity_at",
]
