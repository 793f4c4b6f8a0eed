"""Segmentation: where a finding is, pixel by pixel."""

from __future__ import annotations

from scripts.tasks.segmentation.dice import mask_counts, per_image_dice, weighted_class_dice, weighted_positives_dice
from scripts.tasks.segmentation.dice_figure import plot_dice_by_size
from scripts.tasks.segmentation.loss import SegmentationLoss
from scripts.tasks.segmentation.metric import SegmentationScores
from scripts.tasks.segmentation.network import Segmenter
from scripts.tasks.segmentation.predictions import MaskWriter
from scripts.tasks.segmentation.report import SegmentationReport

__all__ = [
    "MaskWriter",
    "SegmentationLoss",
    "SegmentationReport",
    "SegmentationScores",
    "Segmenter",
    "mask_counts",
    "per_image_dice",
    "plot_dice_by_size",
    "weighted_class_dice",
    "weighted_positives_dice",
]
