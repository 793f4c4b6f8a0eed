"""Pre-training methods: one file a method, holding its module and its loss."""

from __future__ import annotations

from .adaptor import Adaptor
from .decay import decay_groups
from .dual_encoder import DualEncoder
from .infonce import ConVirt, InfoNCELoss
from .mflag import MFlag, MFlagLoss
from .orthogonality import orthogonality
from .siglip import SigLip, SigLipLoss
from .supervised import Supervised, SupervisedLoss

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
