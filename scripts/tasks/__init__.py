"""Downstream tasks: their networks, losses, inferers and post-processing."""

from scripts.tasks.detection import Detector
from scripts.tasks.detector import CxrDetector, DetectionInferer, DetectionLoss
from scripts.tasks.segmentation import Segmenter
from scripts.tasks.segmentation_loss import SegmentationLoss

__all__ = [
    "CxrDetector",
    "DetectionInferer",
    "DetectionLoss",
    "Detector",
    "SegmentationLoss",
    "Segmenter",
]
