"""What a pre-trained encoder is worth: linear probes, retrieval and latent geometry, beside their baselines."""

from scripts.evaluation.report import EvaluationReport
from scripts.evaluation.shared_space import SharedSpace

__all__ = ["EvaluationReport", "SharedSpace"]
