"""How the latent space is used: effective rank, spread, redundancy, uniformity, alignment."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize

from ..errors import CxrError

GROUP = 64  # images of one rank share: what the smallest usual validation sets have
GROUPS = 16
PAIRWISE_ROWS = 2048  # pairs grow with the square: evenly spaced rows keep uniformity a fraction of a second on any set


def spectrum(features: Tensor) -> Tensor:
    """Singular values of the centred features, largest first.

    Args:
        features: `[n, d]`.

    Returns:
        `[min(n, d)]` float64. They come from the smaller Gram matrix (several times faster than an SVD); what lies
        below that way's accuracy, 1e-7 of the largest, is 0.
    """
    rows = _checked(features)
    centred = rows - rows.mean(dim=0)
    gram = centred @ centred.T if centred.shape[0] < centred.shape[1] else centred.T @ centred
    values = torch.linalg.eigvalsh(gram).clamp_min(0).sqrt().flip(0)
    # Equal rows leave rounding of their mean behind, which would pass for a spectrum.
    noise = torch.linalg.vector_norm(rows) * 1e-12
    return torch.where((values > 1e-7 * values[0]) & (values > noise), values, 0.0)


def effective_rank(singular_values: Tensor) -> float:
    """exp(entropy) of the singular values scaled to sum 1 (Roy & Vetterli 2007, definition 1); 1 when all are 0."""
    share = singular_values[singular_values > 0]
    share = share / share.sum()
    return float(torch.exp(-(share * share.log()).sum()))


def rank_share(features: Tensor) -> float:
    """Effective rank of 64 images as a share of the most that 64 images could have, min(63, d).

    The effective rank itself grows with the number of images, and its share of min(n - 1, d) falls; this is the mean
    over up to 16 groups of 64, and so the same for a hundred images and for a hundred thousand. Fewer than 64 are one
    group.

    Args:
        features: `[n, d]`.
    """
    rows = _checked(features)
    groups = max(1, len(rows) // GROUP)
    found = [rows[first::groups][:GROUP] for first in range(min(groups, GROUPS))]
    return sum(effective_rank(spectrum(group)) / effective_rank_limit(group) for group in found) / len(found)


def effective_rank_limit(features: Tensor) -> int:
    """The most that the effective rank of `[n, d]` features can be: min(n - 1, d), since they are centred."""
    return min(len(features) - 1, features.shape[1])


def mean_offdiag_correlation(features: Tensor) -> float:
    """Mean absolute correlation between different feature dimensions of `[n, d]`; constant dimensions are left out.

    Independent features still give about sqrt(2 / (pi n)) from n images, so compare values at one n only.
    """
    centred = _checked(features)
    centred = centred - centred.mean(dim=0)
    scale = centred.norm(dim=0)
    alive = scale > 1e-7 * scale.max()
    count = int(alive.sum())
    if count < 2:
        return 0.0
    unit = centred[:, alive] / scale[alive]
    correlation = (unit.T @ unit).abs()
    return float((correlation.sum() - correlation.diagonal().sum()) / (count * (count - 1)))


def uniformity(features: Tensor, t: float = 2.0) -> float:
    """log of the mean of exp(-t |x - y|^2) over pairs of L2-normalised rows (Wang & Isola 2020, eq. 5).

    0 = all at one point; lower is more spread, about -2t on a high-dimensional sphere. Sets above 2,048 rows are
    thinned evenly.
    """
    rows = _checked(features)
    if len(rows) > PAIRWISE_ROWS:
        rows = rows[torch.linspace(0, len(rows) - 1, PAIRWISE_ROWS, device=rows.device).long()]
    unit = normalize(rows, dim=1)
    length = unit.square().sum(dim=1)  # 1, or 0 for a row of zeros, which has no direction
    squared = (length[:, None] + length - 2 * unit @ unit.T)[
        torch.ones(len(rows), len(rows), dtype=torch.bool, device=rows.device).triu(1)
    ]
    return float(torch.exp(-t * squared).mean().log())


def alignment(a: Tensor, b: Tensor) -> float:
    """Mean squared distance of matching L2-normalised rows of `a` and `b` `[n, d]` (Wang & Isola 2020, eq. 4, alpha 2).

    0 = every pair coincides, 2 = orthogonal, 4 = opposite.
    """
    return float((normalize(_checked(a), dim=1) - normalize(_checked(b), dim=1)).square().sum(dim=1).mean())


def latent_geometry(features: Tensor, singular_values: Tensor | None = None) -> dict[str, float]:
    """The numbers that tell a healthy latent space from a collapsed one.

    Args:
        features: `[n, d]` of n >= 2 images.
        singular_values: their `spectrum`, where it is known already.

    Returns:
        effective_rank (Roy & Vetterli 2007, singular values of the centred features), effective_rank_limit (the most
        that it can be, min(n - 1, d)), rank_share (of 64 images), top_variance (share of the first direction in the
        variance), dimensions_90 (directions that hold 90 % of the variance), feature_std (mean over dimensions of the
        standard deviation over images), mean_offdiag_correlation (absolute), uniformity (Wang & Isola 2020).
        Features that are all the same have effective_rank 1, top_variance 1 and dimensions_90 0.
    """
    values = spectrum(features) if singular_values is None else singular_values
    share = values.square() / values.square().sum() if values[0] > 0 else values
    return {
        "effective_rank": effective_rank(values),
        "effective_rank_limit": float(effective_rank_limit(features)),
        "rank_share": rank_share(features),
        "top_variance": float(share[0]) if values[0] > 0 else 1.0,
        "dimensions_90": float(1 + (share.cumsum(0) < 0.9).sum()) if values[0] > 0 else 0.0,
        "feature_std": float(_checked(features).std(dim=0, correction=0).mean()),
        "mean_offdiag_correlation": mean_offdiag_correlation(features),
        "uniformity": uniformity(features),
    }


def _checked(features: Tensor) -> Tensor:
    if features.ndim != 2 or len(features) < 2:
        raise CxrError(
            f"Latent geometry needs [n, d] features of at least 2 images, got shape {tuple(features.shape)}."
        )
    if not bool(torch.isfinite(features).all()):
        bad = int((~torch.isfinite(features).all(dim=1)).sum())
        raise CxrError(
            f"{bad} of {len(features)} feature rows hold NaN or infinity: lower the learning rate or check the weights."
        )
    return features.detach().double()
