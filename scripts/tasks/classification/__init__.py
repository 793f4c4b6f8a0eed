"""Classification: which findings an image shows."""

from __future__ import annotations

from scripts.tasks.classification.calibration import (
    Calibration,
    fit_temperature,
    predicted_probabilities,
    read_calibration,
    top_answer,
    weighted_ece,
)
from scripts.tasks.classification.grad_cam import grad_cam
from scripts.tasks.classification.metric import ClassificationScores
from scripts.tasks.classification.network import ClassificationLoss, Classifier
from scripts.tasks.classification.predictions import ScoreWriter
from scripts.tasks.classification.prevalence import StartFromPrevalence
from scripts.tasks.classification.reliability_figure import plot_reliability
from scripts.tasks.classification.report import ClassificationReport
from scripts.tasks.classification.roc_figure import plot_roc_pr
from scripts.tasks.classification.scores import class_counts, score_classes
from scripts.tasks.classification.subgroups import subgroups
from scripts.tasks.classification.thresholds import best_f1_threshold

__all__ = [
    "Calibration",
    "ClassificationLoss",
    "ClassificationReport",
    "ClassificationScores",
    "Classifier",
    "ScoreWriter",
    "StartFromPrevalence",
    "best_f1_threshold",
    "class_counts",
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
