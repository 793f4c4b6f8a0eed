"""Metrics that MONAI lacks or gets wrong: latent geometry, retrieval, linear probe, scores under every draw."""

from __future__ import annotations

from scripts.metrics.calibration import (
    Calibration,
    fit_temperature,
    predicted_probabilities,
    read_calibration,
    top_answer,
    weighted_ece,
)
from scripts.metrics.class_scores import (
    class_counts,
    score_classes,
)
from scripts.metrics.classification import (
    MACRO,
    Mode,
    auroc,
    weighted_auprc,
    weighted_auroc,
    weighted_class_auroc,
    weighted_sensitivity_at,
)
from scripts.metrics.classification_ignite import ClassificationScores
from scripts.metrics.collapse import first_collapse, why_collapsed
from scripts.metrics.collect import collect_values
from scripts.metrics.detection import (
    MAP_40_75,
    MAP_50_95,
    Matches,
    box_iou,
    match_boxes,
    published_images,
    weighted_average_precision,
    weighted_map,
)
from scripts.metrics.detection_scores import DetectionScores, detection_rows
from scripts.metrics.froc import Froc, froc_curve, pool_classes, weighted_sensitivity
from scripts.metrics.geometry import (
    alignment,
    effective_rank,
    latent_geometry,
    mean_offdiag_correlation,
    rank_share,
    spectrum,
    uniformity,
)
from scripts.metrics.grounding import GroundingScore, Pointing, grounding_scores, point
from scripts.metrics.hausdorff import hausdorff95
from scripts.metrics.ignite_metrics import EpochFeatures, LatentGeometry, Retrieval
from scripts.metrics.label_retrieval import label_retrieval
from scripts.metrics.linear_probe import (
    ProbeResult,
    ProbeRow,
    compare_probes,
    probe_cv,
    probe_rows,
    probe_split,
)
from scripts.metrics.nearest import Index, nearest
from scripts.metrics.retrieval import flatten_retrieval, retrieval
from scripts.metrics.segmentation import mask_counts, per_image_dice, weighted_class_dice, weighted_positives_dice
from scripts.metrics.segmentation_scores import SegmentationScores
from scripts.metrics.subgroups import subgroups
from scripts.metrics.template_boxes import template_boxes, with_templates
from scripts.metrics.thresholds import best_f1_threshold
from scripts.metrics.validation_loss import ValidationLoss

__all__ = [
    "Calibration",
    "ClassificationScores",
    "DetectionScores",
    "EpochFeatures",
    "Froc",
    "GroundingScore",
    "Index",
    "LatentGeometry",
    "MACRO",
    "MAP_40_75",
    "MAP_50_95",
    "Matches",
    "Mode",
    "Pointing",
    "ProbeResult",
    "ProbeRow",
    "Retrieval",
    "SegmentationScores",
    "ValidationLoss",
    "alignment",
    "auroc",
    "best_f1_threshold",
    "box_iou",
    "class_counts",
    "collect_values",
    "compare_probes",
    "detection_rows",
    "effective_rank",
    "first_collapse",
    "fit_temperature",
    "flatten_retrieval",
    "froc_curve",
    "grounding_scores",
    "hausdorff95",
    "label_retrieval",
    "latent_geometry",
    "mask_counts",
    "match_boxes",
    "mean_offdiag_correlation",
    "nearest",
    "per_image_dice",
    "pool_classes",
    "point",
    "predicted_probabilities",
    "probe_cv",
    "probe_rows",
    "probe_split",
    "published_images",
    "rank_share",
    "read_calibration",
    "retrieval",
    "score_classes",
    "spectrum",
    "subgroups",
    "template_boxes",
    "top_answer",
    "uniformity",
    "weighted_auprc",
    "weighted_auroc",
    "weighted_average_precision",
    "weighted_class_auroc",
    "weighted_class_dice",
    "weighted_ece",
    "weighted_map",
    "weighted_positives_dice",
    "weighted_sensitivity",
    "weighted_sensitivity_at",
    "why_collapsed",
    "with_templates",
]
