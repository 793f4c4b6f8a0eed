"""The orthogonality term of M-FLAG (Liu et al., MICCAI 2023): decorrelates the dimensions of a latent space."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F

from ..distributed import count_over_ranks, sum_over_ranks, world_size

Normalize = Literal["none", "row_l2", "standardize"]
NORMALIZATIONS: tuple[Normalize, ...] = ("none", "row_l2", "standardize")

# Barlow Twins' own weight of the off-diagonal terms, which M-FLAG's code takes over.
LAMBDA_OFFDIAG = 0.0051


def orthogonality(
    features: torch.Tensor, normalize: Normalize = "none", lambda_offdiag: float = LAMBDA_OFFDIAG
) -> torch.Tensor:
    """Half of sum_i (C_ii - 1)^2 + lambda * sum_{i != j} C_ij^2, with C = V^T V / B over the batch of all ranks.

    Args:
        features: V, `(B, D)`; the batch B is the one of this rank, the sums run over all ranks.
        normalize: what is done to V first.
            `none` is the authors' code. Features after a ReLU share a positive mean, so the term is large (about 4,350
            for |N(0,1)|, B = 512, D = 2048) and drives them to disjoint support; with B < D it cannot fall under a
            floor (`floor`).
            `row_l2` divides each row by its length. The trace of C is then 1 whatever the features are, so the term
            stands at about (D - 2) / 2 with almost no gradient; kept because a published port does this.
            `standardize` centres and scales each dimension over the batch (Barlow Twins): C is a correlation matrix.
        lambda_offdiag: weight of the off-diagonal terms.

    Returns:
        A scalar, at least in float32 (float64 stays float64), also under autocast.

    Raises:
        ValueError: `normalize` is none of the three.
    """
    if normalize not in NORMALIZATIONS:
        raise ValueError(f"normalize must be one of {', '.join(NORMALIZATIONS)}, not {normalize!r}")
    with torch.autocast(features.device.type, enabled=False):
        v = features if features.dtype == torch.float64 else features.float()
        count = count_over_ranks(v)
        if normalize == "row_l2":
            v = F.normalize(v, dim=1)
        elif normalize == "standardize":
            v = v - sum_over_ranks(v.sum(0)) / count
            variance = sum_over_ranks(v.square().sum(0)) / count
            # As in batch norm, the small constant leaves a dead dimension at zero: its diagonal entry is then 0, not 1.
            v = v * torch.rsqrt(variance + 1e-5)
        diagonal = sum_over_ranks(v.square().sum(0)) / count
        on_diagonal = (diagonal - 1).square().sum()
        off_diagonal = _gram_square_sum(v) / count**2 - diagonal.square().sum()
        return 0.5 * (on_diagonal + lambda_offdiag * off_diagonal)


def _gram_square_sum(v: torch.Tensor) -> torch.Tensor:
    """Sum of the squares of all entries of V^T V, over the batch of all ranks.

    V^T V and V V^T have the same one; with fewer rows than dimensions the second is the smaller matrix, which saves a
    CPU some milliseconds a pair. Only V^T V adds up over ranks.
    """
    if world_size() == 1 and v.shape[0] < v.shape[1]:
        return (v @ v.T).square().sum()
    return sum_over_ranks(v.T @ v).square().sum()


def floor(batch: int, dim: int, lambda_offdiag: float = LAMBDA_OFFDIAG) -> float:
    """Lower bound of the raw term (`normalize="none"`) for any batch of `batch` rows in `dim` dimensions.

    C has rank r <= min(batch, dim). With its trace spread evenly over the diagonal (C_ii = t, sum C_ij^2 >= (dim * t)^2
    / r) the term is 1/2 [dim (t - 1)^2 + lambda ((dim t)^2 / r - dim t^2)], least at t = 1 / (1 + lambda (dim / r -
    1)). It is 15.43 for 512 rows in 2048 dimensions, and 0 once there are as many rows as dimensions.
    """
    spread = dim / min(batch, dim) - 1
    t = 1 / (1 + lambda_offdiag * spread)
    return 0.5 * dim * ((t - 1) ** 2 + lambda_offdiag * t**2 * spread)
