"""Detection: where a finding is, as boxes."""

from __future__ import annotations

from .average_precision import (
    MAP_40_75,
    MAP_50_95,
    Matches,
    box_iou,
    match_boxes,
    published_images,
    weighted_average_precision,
    weighted_map,
)
from .batch import PrepareBoxes
from .detector import CxrDetector, DetectionInferer, DetectionLoss
from .froc import Froc, froc_curve, pool_classes, weighted_sensitivity
from .froc_figure import plot_froc
from .items import box_names, detection_items
from .metric import DetectionScores, detection_rows
from .network import Detector
from .predictions import BoxWriter
from .report import DetectionReport
from .task import DETECTION
from .template_boxes import template_boxes, with_templates
from .validation import CheckBoxes

__all__ = [
    "BoxWriter",
    "CheckBoxes",
    "CxrDetector",
    "DETECTION",
    "DetectionInferer",
    "DetectionLoss",
    "DetectionReport",
    "DetectionScores",
    "Detector",
    "Froc",
    "MAP_40_75",
    "MAP_50_95",
    "Matches",
    "PrepareBoxes",
    "box_iou",
    "box_names",
    "detection_items",
    "detection_rows",
    "froc_curve",
    "match_boxes",
    "plot_froc",
    "pool_classes",
    "published_images",
    "template_boxes",
    "weighted_average_precision",
    "weighted_map",
    "weighted_sensitivity",
    "with_templates",
]
