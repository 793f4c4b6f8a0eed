"""Pre-training methods: one file a method, holding its module and its loss."""

from scripts.pretraining.mflag import MFlag, MFlagLoss
from scripts.pretraining.orthogonality import orthogonality

__all__ = ["MFlag", "MFlagLoss", "orthogonality"]
