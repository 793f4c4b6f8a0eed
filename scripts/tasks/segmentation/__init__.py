"""Segmentation: where a finding is, pixel by pixel."""

from __future__ import annotations

from .dice import mask_counts, per_image_dice, weighted_class_dice, weighted_positives_dice
from .dice_figure import plot_dice_by_size
from .items import mask_names, segmentation_items
from .loss import SegmentationLoss
from .metric import SegmentationScores
from .network import Segmenter
from .predictions import MaskWriter
from .report import SegmentationReport
from .task import SEGMENTATION
from .validation import CheckMasks

__all__ = [
    "CheckMasks",
    "MaskWriter",
    "SEGMENTATION",
    "SegmentationLoss",
    "SegmentationReport",
    "SegmentationScores",
    "Segmenter",
    "mask_counts",
    "mask_names",
    "per_image_dice",
    "plot_dice_by_size",
    "segmentation_items",
    "weighted_class_dice",
    "weighted_positives_dice",
]
