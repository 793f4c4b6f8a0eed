"""Downstream tasks: their networks, losses, inferers and post-processing."""

from scripts.tasks.classification import ClassificationLoss, Classifier
from scripts.tasks.detection import Detector
from scripts.tasks.detector import CxrDetector, DetectionInferer, DetectionLoss
from scripts.tasks.network import parameter_groups, prepare_network
from scripts.tasks.postprocess import Probabilitiesd, probabilities
from scripts.tasks.protocol import by_protocol
from scripts.tasks.segmentation import Segmenter
from scripts.tasks.segmentation_loss import SegmentationLoss

__all__ = [
    "ClassificationLoss",
    "Classifier",
    "CxrDetector",
    "DetectionInferer",
    "DetectionLoss",
    "Detector",
    "Probabilitiesd",
    "SegmentationLoss",
    "Segmenter",
    "by_protocol",
    "parameter_groups",
    "prepare_network",
    "probabilities",
]
