"""Dice from counts: the protocol's cases by hand, MONAI where it is right, the bootstrap over patients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from monai.metrics import DiceMetric

from scripts.errors import CxrError
from scripts.statistics.draws import Draws
from scripts.statistics.estimate import mean_over_classes
from scripts.tasks.segmentation.dice import (
    DICE,
    Counts,
    batch_mean_dice,
    mask_counts,
    per_image_dice,
    weighted_class_dice,
    weighted_dice,
    weighted_positives_dice,
)

NAN = float("nan")
# Seven images: half right, all right, missed, rightly empty, wrongly not empty, unknown, 3 of 4 with one too many.
HAND = Counts(
    tp=np.array([2.0, 5, 0, 0, 0, NAN, 3]),
    pred=np.array([4.0, 5, 0, 0, 9, NAN, 4]),
    true=np.array([4.0, 5, 6, 0, 0, NAN, 4]),
)


def one(counts: Counts) -> dict[str, float]:
    return {kind: float(value[0]) for kind, value in weighted_dice(counts, Draws.once(len(counts.tp))).items()}


def random_masks(seed: int = 0, images: int = 12, masks: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits and masks; some of either are empty."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(images, masks, 16, 16, generator=generator)
    truth = (torch.rand(images, masks, 16, 16, generator=generator) > 0.7).float()
    truth[::3, 0] = 0
    logits[::6] = -1
    logits[1, 1] = -1
    return logits, truth


def test_the_protocol_by_hand() -> None:
    """papers.md 3.4: positives 2|P∩T| / (|P| + |T|); negatives 1 if the prediction is empty, else 0."""
    np.testing.assert_array_equal(per_image_dice(HAND), [0.5, 1, 0, 1, 0, NAN, 0.75])
    assert one(HAND) == pytest.approx(
        {
            "dice_positives": (0.5 + 1 + 0 + 0.75) / 4,
            "dice_per_image": (0.5 + 1 + 0 + 1 + 0 + 0.75) / 6,
            "dice_all_empty": 2 / 6,
            "dice_set": 2 * (2 + 5 + 3) / (4 + 5 + 9 + 4 + 4 + 5 + 6 + 4),
        }
    )


def test_the_published_variant_is_the_mean_of_batch_means() -> None:
    expected = np.mean([np.mean([0.5, 1, 0]), np.mean([1, 0]), 0.75])  # the unknown image counts in no batch
    assert batch_mean_dice(HAND, [0, 0, 0, 1, 1, 1, 2]) == pytest.approx(expected)


@pytest.mark.parametrize(("negatives", "printed"), [(0.775, 77.5), (0.73, 73.0)], ids=["RSNA", "SIIM"])
def test_predicting_nothing_scores_what_the_papers_tables_are_measured_against(
    negatives: float, printed: float
) -> None:
    """papers.md 0.1 and 2.8: a constant of the published tables is the all-empty mask."""
    true = np.where(np.arange(1000) < 1000 * negatives, 0.0, 50.0)
    nothing = one(Counts(np.zeros(1000), np.zeros(1000), true))
    assert 100 * nothing["dice_per_image"] == pytest.approx(printed)
    assert nothing["dice_all_empty"] == nothing["dice_per_image"]
    assert nothing["dice_positives"] == nothing["dice_set"] == 0


def test_a_set_without_a_true_pixel_has_no_foreground_dice() -> None:
    scores = one(Counts(np.zeros(2), np.array([0.0, 3]), np.zeros(2)))
    assert scores["dice_per_image"] == 0.5
    assert scores["dice_all_empty"] == 1
    assert np.isnan([scores["dice_positives"], scores["dice_set"]]).all()


def test_nothing_known_is_nothing_scored() -> None:
    unknown = np.full(3, NAN)
    assert np.isnan(list(one(Counts(unknown, unknown, unknown)).values())).all()


def test_counts_give_monai_s_dice_of_each_image() -> None:
    logits, truth = random_masks()
    counts = mask_counts(logits, truth)
    for k in range(2):
        found = per_image_dice(Counts(*counts[:, k].T.numpy()))
        protocol = DiceMetric(reduction="none", ignore_empty=False)((logits > 0).float(), truth)[:, k].numpy()
        np.testing.assert_allclose(found, protocol, atol=1e-6)
        positives = DiceMetric(reduction="none", ignore_empty=True)((logits > 0).float(), truth)[:, k].numpy()
        score = weighted_dice(Counts(*counts[:, k].T.numpy()), Draws.once(12))
        assert score["dice_positives"][0] == pytest.approx(np.nanmean(positives), abs=1e-6)


def test_an_unknown_mask_has_no_counts() -> None:
    logits, truth = random_masks()
    truth[2, 1] = -1
    counts = mask_counts(logits, truth)
    assert counts[2, 1].isnan().all()
    assert counts.isnan().sum() == 3
    assert counts.dtype == torch.float64


@pytest.mark.parametrize(
    ("logits", "word"),
    [
        (torch.full((2, 1, 4, 4), NAN), "NaN in 2 of 2 images.*diverged"),
        (torch.zeros(2, 2, 4, 4), r"\(2, 2, 4, 4\) for true masks of \(2, 1, 4, 4\)"),
    ],
    ids=["a diverged network", "another number of masks"],
)
def test_what_is_no_prediction_is_not_counted_as_an_empty_one(logits: torch.Tensor, word: str) -> None:
    with pytest.raises(CxrError, match=word):
        mask_counts(logits, torch.zeros(2, 1, 4, 4))


def test_draws_equal_the_scores_of_the_drawn_images() -> None:
    counts = mask_counts(*random_masks(images=30))
    counts[4, 0] = NAN
    mask = Counts(*counts[:, 0].T.numpy())
    draws = Draws.of(np.arange(30) // 2, 20, seed=1)
    drawn = weighted_dice(mask, draws)
    for b, weight in enumerate(draws.map(lambda weights: weights).astype(int)):
        images = np.repeat(np.arange(30), weight)
        expected = one(Counts(*(part[images] for part in mask)))
        assert {kind: drawn[kind][b] for kind in DICE} == pytest.approx(expected)


def table(counts: torch.Tensor, names: tuple[str, ...] = ("lungs", "heart")) -> pd.DataFrame:
    columns: dict[str, Any] = {}
    for k, name in enumerate(names):
        columns |= {f"{part}_{name}": counts[:, k, j].numpy() for j, part in enumerate(Counts._fields)}
    return pd.DataFrame(columns)


def test_the_macro_is_over_the_masks_that_can_be_scored() -> None:
    counts = mask_counts(*random_masks())
    everyone = Draws.once(12)
    names = ["lungs", "heart"]
    alone = [weighted_positives_dice(table(counts), [name], everyone)[0, 0] for name in names]
    assert weighted_positives_dice(table(counts), names, everyone)[:, 0] == pytest.approx(alone)
    counts[:, 1, [0, 2]] = 0  # the heart is nowhere
    scores = {
        kind: mean_over_classes(found)[0] for kind, found in weighted_class_dice(table(counts), names, everyone).items()
    }
    assert scores["dice_positives"] == pytest.approx(alone[0])
    assert scores["dice_all_empty"] == pytest.approx((4 / 12 + 1) / 2)
