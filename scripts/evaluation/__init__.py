"""What a pre-trained encoder is worth: linear probes, retrieval and latent geometry, beside their baselines."""

from __future__ import annotations

from scripts.evaluation.grounding import CellMaps, GroundingReport, grounding_items
from scripts.evaluation.linear_probe import ProbeResult, ProbeRow, compare_probes, probe_cv, probe_rows, probe_split
from scripts.evaluation.prompts import Prompts
from scripts.evaluation.report import EvaluationReport
from scripts.evaluation.shared_space import SharedSpace
from scripts.evaluation.zero_shot import zero_shot_scores

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
    "probe_rows",
    "probe_split",
    "zero_shot_scores",
]
