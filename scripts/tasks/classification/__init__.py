"""Classification: which findings an image shows."""

from __future__ import annotations

from .calibration import (
    Calibration,
    fit_temperature,
    predicted_probabilities,
    read_calibration,
    top_answer,
    weighted_ece,
)
from .grad_cam import grad_cam
from .items import classification_items
from .metric import ClassificationScores
from .network import ClassificationLoss, Classifier
from .predictions import ScoreWriter
from .prevalence import StartFromPrevalence
from .reliability_figure import plot_reliability
from .report import ClassificationReport
from .roc_figure import plot_roc_pr
from .scores import class_counts, score_classes
from .subgroups import subgroups
from .task import CLASSIFICATION
from .thresholds import best_f1_threshold
from .validation import CheckLabels

__all__ = [
    "CLASSIFICATION",
    "Calibration",
    "CheckLabels",
    "ClassificationLoss",
    "ClassificationReport",
    "ClassificationScores",
    "Classifier",
    "ScoreWriter",
    "StartFromPrevalence",
    "best_f1_threshold",
    "class_counts",
    "classification_items",
    "fit_temperature",
    "grad_cam",
    "plot_reliability",
    "plot_roc_pr",
    "predicted_probabilities",
    "read_calibration",
    "score_classes",
    "subgroups",
    "top_answer",
    "weighted_ece",
]
