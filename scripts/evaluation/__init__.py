"""What a pre-trained encoder is worth: linear probes, retrieval and latent geometry, beside their baselines."""

from scripts.evaluation.classification import ClassificationReport
from scripts.evaluation.detection import DetectionReport
from scripts.evaluation.examples import Example
from scripts.evaluation.grounding import CellMaps, GroundingReport, grounding_items
from scripts.evaluation.headline import HEADLINES, headline, trivial_answer, unscored
from scripts.evaluation.prompts import Prompts
from scripts.evaluation.report import EvaluationReport
from scripts.evaluation.segmentation import SegmentationReport
from scripts.evaluation.shared_space import SharedSpace
from scripts.evaluation.task_report import TaskReport, TaskScores, split_table
from scripts.evaluation.zero_shot import zero_shot_scores

__all__ = [
    "CellMaps",
    "ClassificationReport",
    "DetectionReport",
    "EvaluationReport",
    "Example",
    "GroundingReport",
    "HEADLINES",
    "Prompts",
    "SegmentationReport",
    "SharedSpace",
    "TaskReport",
    "TaskScores",
    "grounding_items",
    "headline",
    "split_table",
    "trivial_answer",
    "unscored",
    "zero_shot_scores",
]
