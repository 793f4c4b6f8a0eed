"""Features of a frozen encoder on one scale."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn


class Standardize(nn.Module):
    """Features on one scale, `(x - mean) / std` by dimension; passes them through until `fit` has seen the training
    images'.

    A linear probe on raw features whose scales differ a hundredfold is far from its optimum after the few hundred steps
    that a small set gives (He et al. 2022, appendix A, put a batch norm without parameters there for the same reason).

    Args:
        dim: number of dimensions D.
    """

    if TYPE_CHECKING:  # not at run time: TorchScript reads annotations of the class, and knows no strings
        mean: Tensor
        std: Tensor

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("std", torch.ones(dim))

    def fit(self, features: Tensor) -> None:
        """Takes mean and deviation of `(n, D)`; a dimension that never changes is only centred."""
        spread = features.std(dim=0, correction=0)
        self.mean.copy_(features.mean(dim=0))
        self.std.copy_(torch.where(spread > 1e-6, spread, 1.0))

    def forward(self, features: Tensor) -> Tensor:
        """`(B, D)` to the same shape."""
        return (features - self.mean) / self.std
