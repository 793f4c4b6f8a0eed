"""The orthogonality term against values computed by hand and against the figures of docs/pretraining.md."""

from __future__ import annotations

import pytest
import torch

from scripts.pretraining.orthogonality import floor, orthogonality

LAMBDA = 0.0051


@pytest.mark.parametrize(
    ("features", "normalize", "expected"),
    [
        # C = I / 2: two diagonal terms of (1/2 - 1)^2, nothing beside them.
        ([[1.0, 0.0], [0.0, 1.0]], "none", 0.5 * (2 * 0.25)),
        # One row (2, 1): C = [[4, 2], [2, 1]].
        ([[2.0, 1.0]], "none", 0.5 * ((4 - 1) ** 2 + 0 + LAMBDA * (4 + 4))),
        # Rows of length 5 become (.6, .8) and (.8, .6); C = [[.5, .48], [.48, .5]].
        ([[3.0, 4.0], [4.0, 3.0]], "row_l2", 0.5 * (2 * 0.25 + LAMBDA * 2 * 0.48**2)),
        # Two dimensions that rise together: the correlation matrix is all ones.
        ([[1.0, 20.0], [3.0, 60.0], [5.0, 100.0]], "standardize", 0.5 * LAMBDA * 2),
        # Uncorrelated dimensions: (-1, 1, -1, 1) and (-1, -1, 1, 1).
        ([[-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0], [1.0, 1.0]], "standardize", 0.0),
    ],
)
def test_values_computed_by_hand(features: list[list[float]], normalize: str, expected: float) -> None:
    value = orthogonality(torch.tensor(features, dtype=torch.float64), normalize, LAMBDA)  # type: ignore[arg-type]
    assert value.item() == pytest.approx(expected, abs=2e-5)


@pytest.mark.parametrize(
    ("normalize", "low", "high"), [("none", 4250, 4450), ("row_l2", 1022.9, 1023.1), ("standardize", 20.8, 20.95)]
)
def test_half_normal_features_give_the_figures_of_the_design(normalize: str, low: float, high: float) -> None:
    features = torch.randn(512, 2048, generator=torch.Generator().manual_seed(0)).abs()
    assert low < orthogonality(features, normalize).item() < high  # type: ignore[arg-type]


def test_row_l2_has_almost_no_gradient_and_the_raw_term_has() -> None:
    raw = torch.randn(64, 256, generator=torch.Generator().manual_seed(0)).abs()
    sizes = {}
    for normalize in ("none", "row_l2"):
        features = raw.clone().requires_grad_()
        orthogonality(features, normalize).backward()  # type: ignore[arg-type]
        assert features.grad is not None
        sizes[normalize] = features.grad.norm().item()
    assert sizes["row_l2"] < 1e-3 * sizes["none"]


def test_floor_is_reached_by_descent_and_never_crossed() -> None:
    """Gradient descent on free features ends at the closed form, for fewer rows than dimensions."""
    features = torch.randn(8, 32, generator=torch.Generator().manual_seed(0), dtype=torch.float64).requires_grad_()
    optimizer = torch.optim.LBFGS([features], max_iter=500, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = orthogonality(features, "none")
        loss.backward()
        return loss

    optimizer.step(closure)  # type: ignore[arg-type]
    assert orthogonality(features, "none").item() == pytest.approx(floor(8, 32), rel=1e-3)
    assert orthogonality(features, "none").item() >= floor(8, 32) - 1e-9


def test_floor_of_the_paper_setting() -> None:
    assert floor(512, 2048) == pytest.approx(15.43, abs=0.005)
    assert floor(2048, 2048) == 0


def test_it_stays_in_float32_under_autocast() -> None:
    features = torch.randn(16, 8)
    with torch.autocast("cpu", torch.bfloat16):
        inside = orthogonality(features, "standardize")
    assert inside.dtype == torch.float32
    assert inside.item() == orthogonality(features, "standardize").item()


def test_unknown_normalization_is_refused() -> None:
    with pytest.raises(ValueError, match="row_l2"):
        orthogonality(torch.zeros(2, 2), "l2")  # type: ignore[arg-type]
