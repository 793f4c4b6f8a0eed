"""Latent geometry on feature sets whose values are known by hand."""

from __future__ import annotations

import math

import pytest
import torch

from scripts.errors import CxrError
from scripts.metrics.latent_geometry import (
    alignment,
    effective_rank,
    latent_geometry,
    mean_offdiag_correlation,
    spectrum,
    uniformity,
)


def test_effective_rank_of_equal_singular_values_is_their_number():
    axes = torch.cat([torch.eye(8), -torch.eye(8)])  # centred already, eight equal singular values sqrt(2)
    torch.testing.assert_close(spectrum(axes), torch.full((8,), math.sqrt(2), dtype=torch.float64))
    assert effective_rank(spectrum(axes)) == pytest.approx(8)


def test_effective_rank_by_hand_for_unequal_singular_values():
    # Shares 3/4 and 1/4: exp(3/4 ln 4/3 + 1/4 ln 4) = 4 / 3^(3/4).
    assert effective_rank(torch.tensor([3.0, 1.0, 0.0])) == pytest.approx(4 / 3**0.75)


@pytest.mark.parametrize("shape", [(50, 7), (7, 50)], ids=["tall", "wide"])
def test_spectrum_equals_the_singular_value_decomposition(shape):
    features = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    expected = torch.linalg.svdvals((features - features.mean(0)).double())
    torch.testing.assert_close(spectrum(features), expected, atol=1e-6, rtol=1e-6)


def test_rank_one_and_collapsed_features():
    line = torch.linspace(-1, 1, 20)[:, None] * torch.randn(1, 30, generator=torch.Generator().manual_seed(0))
    assert effective_rank(spectrum(line)) == pytest.approx(1, abs=1e-6)
    assert mean_offdiag_correlation(line) == pytest.approx(1, abs=1e-6)
    point = latent_geometry(torch.full((20, 30), 0.3))
    assert point == {
        "effective_rank": 1,
        "effective_rank_limit": 19,
        "rank_share": pytest.approx(1 / 19),
        "top_variance": 1,
        "dimensions_90": 0,
        "feature_std": pytest.approx(0, abs=1e-7),
        "mean_offdiag_correlation": pytest.approx(0, abs=1e-6),
        "uniformity": pytest.approx(0, abs=1e-6),
    }


def test_two_opposite_clusters():
    # 2 + 2 unit vectors: 4 of 6 pairs are 2 apart (squared 4), 2 coincide.
    clusters = torch.tensor([[1.0, 0], [1, 0], [-1, 0], [-1, 0]])
    geometry = latent_geometry(clusters)
    assert geometry["effective_rank"] == pytest.approx(1)
    assert geometry["feature_std"] == pytest.approx(0.5)  # 1 along x, 0 along y
    assert geometry["uniformity"] == pytest.approx(math.log((2 + 4 * math.exp(-8)) / 6))


def test_the_spectrum_in_few_numbers():
    # +-3, +-1, +-1, +-1 on separate rows: variances 9 : 1 : 1 : 1, of which the first two hold 10/12, three 11/12.
    axes = torch.cat([torch.eye(4), -torch.eye(4)]) * torch.tensor([3.0, 1, 1, 1])
    geometry = latent_geometry(axes)
    assert geometry["top_variance"] == pytest.approx(9 / 12)
    assert geometry["dimensions_90"] == 3
    assert geometry["effective_rank_limit"] == 4  # eight images, four dimensions
    # Singular values 3 : 1 : 1 : 1, shares 1/2 and three of 1/6.
    assert geometry["effective_rank"] == pytest.approx(math.sqrt(2) * math.sqrt(6))
    assert geometry["rank_share"] == pytest.approx(math.sqrt(12) / 4)


def test_uniformity_of_orthonormal_rows():
    assert uniformity(3 * torch.eye(5)) == pytest.approx(-4)  # every pair is sqrt(2) apart
    assert uniformity(torch.zeros(5, 3)) == 0  # a dead encoder is no spread one


def test_correlation_is_absolute_and_ignores_constant_dimensions():
    x, y = torch.tensor([1.0, -1, 1, -1]), torch.tensor([1.0, 1, -1, -1])
    # Pairs: (x, -2x) = 1, (x, y) = 0, (-2x, y) = 0; the constant column is left out.
    assert mean_offdiag_correlation(torch.stack([x, -2 * x, y, torch.ones(4)], dim=1)) == pytest.approx(1 / 3)


def test_alignment_by_hand():
    a = torch.tensor([[1.0, 0], [0, 5]])
    assert alignment(a, a) == pytest.approx(0)
    assert alignment(a, -a) == pytest.approx(4)
    assert alignment(a, a.flip(0)) == pytest.approx(2)


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (torch.ones(1, 3), "at least 2 images"),
        (torch.ones(2, 3, 4), "shape"),
        (torch.full((4, 2), float("nan")), "4 of 4"),
    ],
)
def test_unusable_features_are_named(features, message):
    with pytest.raises(CxrError, match=message):
        latent_geometry(features)
