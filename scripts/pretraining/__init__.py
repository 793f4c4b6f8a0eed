"""Pre-training methods: one file a method, holding its module and its loss."""

from __future__ import annotations

from scripts.pretraining.adaptor import Adaptor
from scripts.pretraining.decay import decay_groups
from scripts.pretraining.dual_encoder import DualEncoder
from scripts.pretraining.infonce import ConVirt, InfoNCELoss
from scripts.pretraining.mflag import MFlag, MFlagLoss
from scripts.pretraining.orthogonality import orthogonality
from scripts.pretraining.siglip import SigLip, SigLipLoss
from scripts.pretraining.supervised import Supervised, SupervisedLoss

__all__ = [
    "Adaptor",
    "ConVirt",
    "DualEncoder",
    "InfoNCELoss",
    "MFlag",
    "MFlagLoss",
    "SigLip",
    "SigLipLoss",
    "Supervised",
    "SupervisedLoss",
    "decay_groups",
    "orthogonality",
]
