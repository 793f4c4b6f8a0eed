"""The segmentation losses, by hand, against MONAI's, and what an unknown mask must not do."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from monai.losses import DiceLoss, FocalLoss
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from scripts.errors import CxrError
from scripts.tasks.segmentation.loss import LossKind, SegmentationLoss

KINDS: tuple[LossKind, ...] = ("focal_dice", "dice_ce")


def batch(seed: int = 0, images: int = 3, masks: int = 2, size: int = 6) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(images, masks, size, size, generator=generator, dtype=torch.float64)
    return logits, (torch.rand(images, masks, size, size, generator=generator) > 0.6).double()


def test_by_hand() -> None:
    """Two pixels with probabilities 3/4 and 1/4, the first of them true.

    Cross-entropy is ln(4/3) for both, the wrong class has 1/4 for both: focal = ln(4/3) / 16. Soft Dice =
    (2 · 3/4 + 1) / (1 + 1 + 1) = 5/6.
    """
    logits = torch.tensor([[[[math.log(3), -math.log(3)]]]])
    masks = torch.tensor([[[[1.0, 0.0]]]])
    loss = SegmentationLoss("focal_dice")
    assert loss(logits, masks).item() == pytest.approx(10 * math.log(4 / 3) / 16 - math.log(5 / 6), rel=1e-6)
    assert loss.terms["focal"].item() == pytest.approx(math.log(4 / 3) / 16, rel=1e-6)
    assert loss.terms["dice"].item() == pytest.approx(-math.log(5 / 6), rel=1e-6)
    assert SegmentationLoss("dice_ce")(logits, masks).item() == pytest.approx(math.log(4 / 3) + 1 / 6, rel=1e-6)


def test_the_parts_are_monai_s() -> None:
    logits, masks = batch()
    dice = DiceLoss(sigmoid=True, batch=True, smooth_nr=1, smooth_dr=1, reduction="none")(logits, masks).flatten()
    expected = 10 * FocalLoss(gamma=2)(logits, masks) - (1 - dice).log().mean()
    assert SegmentationLoss("focal_dice")(logits, masks).item() == pytest.approx(expected.item(), abs=1e-6)
    expected = binary_cross_entropy_with_logits(logits, masks) + dice.mean()
    assert SegmentationLoss("dice_ce")(logits, masks).item() == pytest.approx(expected.item(), abs=1e-9)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=30, deadline=None)
@given(
    unknown=st.lists(st.booleans(), min_size=6, max_size=6),
    wild=st.sampled_from([0.0, 1e30, math.inf, -math.inf, math.nan]),
    seed=st.integers(0, 50),
)
def test_an_unknown_mask_adds_nothing_in_value_or_gradient(
    kind: LossKind, unknown: list[bool], wild: float, seed: int
) -> None:
    logits, masks = batch(seed)
    left_out = torch.tensor(unknown).reshape(3, 2)
    masks[left_out] = -1
    other = logits.clone()
    other[left_out] = wild  # whatever the network says there
    values, gradients = [], []
    for x in (logits, other):
        x.requires_grad_()
        loss = SegmentationLoss(kind)(x, masks)
        loss.backward()
        assert x.grad is not None
        values.append(loss.item())
        gradients.append(x.grad)
    assert values[0] == values[1]
    assert torch.equal(gradients[0], gradients[1])
    assert not gradients[0][left_out].any()
    assert math.isfinite(values[0])
    if all(unknown):
        assert values[0] == 0


def test_an_unknown_mask_counts_like_an_image_that_is_not_there() -> None:
    logits, masks = batch()
    masks[2] = -1
    for kind in KINDS:
        loss = SegmentationLoss(kind)
        assert loss(logits, masks).item() == pytest.approx(loss(logits[:2], masks[:2]).item(), abs=1e-12)
    masks[:, 1] = -1
    for kind in KINDS:
        loss = SegmentationLoss(kind)
        assert loss(logits, masks).item() == pytest.approx(loss(logits[:2, :1], masks[:2, :1]).item(), abs=1e-12)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scale", [0.0, 1.0, 100.0, -100.0])
@pytest.mark.parametrize("truth", [0.0, 1.0], ids=["all empty", "all full"])
def test_the_gradient_is_finite_for_uniform_batches(kind: LossKind, scale: float, truth: float) -> None:
    logits = (torch.ones(2, 1, 64, 64) * scale).requires_grad_()
    loss = SegmentationLoss(kind)(logits, torch.full((2, 1, 64, 64), truth))
    loss.backward()
    assert loss.isfinite()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


def test_half_precision_is_computed_in_float32() -> None:
    logits, masks = torch.randn(1, 1, 256, 256).bfloat16(), torch.ones(1, 1, 256, 256, dtype=torch.uint8)
    loss = SegmentationLoss()
    with torch.autocast("cpu", torch.bfloat16):
        assert loss(logits, masks).dtype == torch.float32
    assert loss(logits, masks).item() == pytest.approx(loss(logits.double(), masks).item(), rel=1e-5)


def test_another_kind_is_refused() -> None:
    with pytest.raises(CxrError, match="focal_dice, dice_ce, not 'dice'"):
        SegmentationLoss("dice")  # type: ignore[arg-type]


def test_masks_of_another_number_are_refused_and_not_repeated() -> None:
    with pytest.raises(CxrError, match=r"\(3, 2, 6, 6\) and the batch has masks \(3, 1, 6, 6\)"):
        SegmentationLoss()(batch()[0], batch()[1][:, :1])
