"""What a pre-trained encoder is worth: linear probes, retrieval and latent geometry, beside their baselines."""

from __future__ import annotations

from .grounding import CellMaps, GroundingReport, grounding_items
from .linear_probe import ProbeResult, ProbeRow, compare_probes, probe_cv, probe_split
from .prompts import Prompts
from .report import EvaluationReport
from .shared_space import SharedSpace
from .zero_shot import zero_shot_scores

__all__ = [
    "CellMaps",
    "EvaluationReport",
    "GroundingReport",
    "ProbeResult",
    "ProbeRow",
    "Prompts",
    "SharedSpace",
    "compare_probes",
    "grounding_items",
    "probe_cv",
    "probe_split",
    "zero_shot_scores",
]
