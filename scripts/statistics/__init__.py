"""What a score's number is worth: draws of patients, and the one rule from draws to a value with its interval."""

from __future__ import annotations

from .draws import Draws, Floats, Groups, ratio
from .estimate import (
    MACRO,
    Difference,
    Estimate,
    estimate,
    estimate_band,
    estimate_difference,
    estimate_macro,
    mean_over_classes,
    percentiles,
)

__all__ = [
    "MACRO",
    "Difference",
    "Draws",
    "Estimate",
    "Floats",
    "Groups",
    "estimate",
    "estimate_band",
    "estimate_difference",
    "estimate_macro",
    "mean_over_classes",
    "percentiles",
    "ratio",
]
