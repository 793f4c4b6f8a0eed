"""Downstream tasks: their networks, losses, inferers and post-processing."""

from scripts.tasks.segmentation import Segmenter
from scripts.tasks.segmentation_loss import SegmentationLoss

__all__ = ["SegmentationLoss", "Segmenter"]
