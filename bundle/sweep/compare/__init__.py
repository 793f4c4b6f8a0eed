"""`--methods`: pre-training methods × encoders with one budget, before the tasks start from what they have made."""

from __future__ import annotations

from .command import Stage, add_comparison_arguments, read_stage

__all__ = ["Stage", "add_comparison_arguments", "read_stage"]
