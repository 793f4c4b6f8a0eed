"""Symmetric InfoNCE: values by hand and by transformers' CLIP, masked negatives, the temperature's limit."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from transformers.models.clip.modeling_clip import image_text_contrastive_loss

from scripts.pretraining.infonce import ConVirt, InfoNCELoss, false_negatives


def pairs(count: int, dim: int = 6) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    image, text = (torch.randn(count, dim, generator=generator, dtype=torch.float64) for _ in range(2))
    return {"image_projection": image, "text_projection": text, "scale": torch.tensor(3.0, dtype=torch.float64)}


def test_two_orthogonal_pairs_by_hand() -> None:
    eye = torch.eye(2)
    pred = {"image_projection": 5 * eye, "text_projection": 0.1 * eye, "scale": torch.tensor(2.0)}
    loss = InfoNCELoss()
    assert loss(pred).item() == pytest.approx(math.log(1 + math.exp(-2)), rel=1e-6)
    assert {key: value.item() for key, value in loss.terms.items()} == {
        "image_to_report": pytest.approx(math.log(1 + math.exp(-2)), rel=1e-6),
        "report_to_image": pytest.approx(math.log(1 + math.exp(-2)), rel=1e-6),
        "temperature": 0.5,
    }


def test_half_and_half_is_clips_loss() -> None:
    pred = pairs(9)
    image, text = (F.normalize(pred[key], dim=1) for key in ("image_projection", "text_projection"))
    torch.testing.assert_close(InfoNCELoss()(pred), image_text_contrastive_loss(3.0 * text @ image.T))


def test_the_weight_is_that_of_images_looking_for_reports() -> None:
    # Both images look like the first report: image 2 is the only one to err, and the reports cannot tell.
    pred = {
        "image_projection": torch.tensor([[1.0, 0.0], [1.0, 0.0]]),
        "text_projection": torch.eye(2),
        "scale": torch.tensor(1.0),
    }
    to_report = (math.log(1 + math.exp(-1)) + math.log(1 + math.exp(1))) / 2
    assert InfoNCELoss(image_weight=1)(pred).item() == pytest.approx(to_report, rel=1e-6)
    assert InfoNCELoss(image_weight=0)(pred).item() == pytest.approx(math.log(2), rel=1e-6)
    assert InfoNCELoss(image_weight=0.75)(pred).item() == pytest.approx(0.75 * to_report + 0.25 * math.log(2), rel=1e-6)


def test_pairs_of_one_report_or_one_study_are_no_negatives() -> None:
    target = torch.tensor([[1, 10], [2, 20], [1, 30], [4, 20]])  # 0 and 2 share a report, 1 and 3 a study
    assert false_negatives(target).int().tolist() == [[0, 0, 1, 0], [0, 0, 0, 1], [1, 0, 0, 0], [0, 1, 0, 0]]
    pred = pairs(4)
    image, text = (F.normalize(pred[key], dim=1) for key in ("image_projection", "text_projection"))
    logits = 3.0 * image @ text.T
    # Row by row over what is left: the pair itself and two negatives.
    left = [[0, 1, 3], [0, 1, 2], [1, 2, 3], [0, 2, 3]]
    rows = torch.stack([torch.logsumexp(logits[i, left[i]], 0) - logits[i, i] for i in range(4)]).mean()
    columns = torch.stack([torch.logsumexp(logits[left[i], i], 0) - logits[i, i] for i in range(4)]).mean()
    torch.testing.assert_close(InfoNCELoss()(pred, target), (rows + columns) / 2)


def test_a_batch_of_one_study_has_nothing_to_tell_apart() -> None:
    pred = {key: value.requires_grad_() for key, value in pairs(3).items()}
    loss = InfoNCELoss()(pred, torch.zeros(3, 2, dtype=torch.int64))
    loss.backward()
    assert loss.item() == 0
    assert all(value.grad is not None and value.grad.isfinite().all() for value in pred.values())


def test_a_temperature_at_its_limit_can_come_back() -> None:
    network = ConVirt(nn.Identity(), text_dim=5, image_dim=4, precision="float32")
    assert network(torch.randn(2, 4), torch.randn(2, 5))["scale"].item() == pytest.approx(1 / 0.07)
    nn.init.constant_(network.log_scale, 9.0)
    scale = network(torch.randn(2, 4), torch.randn(2, 5))["scale"]
    assert scale.item() == pytest.approx(100, rel=1e-5)
    scale.backward()
    assert network.log_scale.grad == pytest.approx(100, rel=1e-5)


def test_half_precision_projections_are_scored_in_float32() -> None:
    pred = pairs(5) | {"scale": torch.tensor(3.0)}
    half = {key: value.bfloat16() if "projection" in key else value for key, value in pred.items()}
    with torch.autocast("cpu", torch.bfloat16):
        loss = InfoNCELoss()(half)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, InfoNCELoss()({key: value.float() for key, value in half.items()}))
