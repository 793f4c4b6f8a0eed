"""The two Ignite metrics inside MONAI's evaluator."""

from __future__ import annotations

import pytest
import torch
from ignite.engine import Engine
from monai.data import DataLoader, Dataset
from monai.engines import SupervisedEvaluator
from torch import nn

from scripts.errors import CxrError
from scripts.metrics.epoch_metrics import LatentGeometry, Retrieval
from scripts.metrics.latent_geometry import latent_geometry, spectrum
from scripts.metrics.retrieval import retrieval


class TwoTowers(nn.Module):
    """Stands for a pre-training network: `forward` returns a dict."""

    def forward(self, image):
        return {"image_features": image, "image_projection": image[:, :4], "text_projection": image[:, :4].roll(1, 0)}


def items(n=10):
    rows = torch.randn(n, 6, generator=torch.Generator().manual_seed(0))
    return [{"image": rows[i], "report": f"report {i // 2}", "image_id": str(i)} for i in range(n)]


def evaluator(data, decollate=False, **metrics):
    return SupervisedEvaluator(
        device=torch.device("cpu"),
        val_data_loader=DataLoader(Dataset(data), batch_size=4, num_workers=0),
        network=TwoTowers(),
        prepare_batch=lambda batch, device, non_blocking, **_: (batch["image"], None),
        key_val_metric={"geometry": LatentGeometry(**metrics)},
        additional_metrics={"retrieval": Retrieval()},
        decollate=decollate,
    )


@pytest.mark.parametrize("decollate", [False, True])
def test_metrics_in_the_evaluator_equal_the_functions(decollate):
    data = items()
    engine = evaluator(data, decollate)
    engine.run()
    features = torch.stack([item["image"] for item in data])
    found = engine.state.metrics
    assert found["geometry"] == pytest.approx(latent_geometry(features)["effective_rank"])
    assert found["uniformity"] == pytest.approx(latent_geometry(features)["uniformity"])
    text = torch.cat([features[i : i + 4, :4].roll(1, 0) for i in (0, 4, 8)])
    expected = retrieval(features[:, :4], text, [item["report"] for item in data])
    assert found["retrieval"] == expected["image_to_report"]["p_at_1"].value
    assert found["report_to_image_mrr"] == expected["report_to_image"]["mrr"].value
    assert found["image_to_report_chance"] == pytest.approx(0.2)
    assert all(isinstance(value, float) for value in found.values())
    assert engine.state.best_metric == found["geometry"]


@pytest.mark.parametrize("projections", [("image_projection", "text_projection"), None])
def test_a_network_without_projections_has_no_alignment(projections):
    metric = LatentGeometry(projections=projections)
    features = torch.randn(8, 5)
    metric.update(({"pred": {"image_features": features}}, {"image_id": [str(i) for i in range(8)]}))
    assert metric.compute() == latent_geometry(features)
    torch.testing.assert_close(metric.singular_values, spectrum(features))  # kept for the picture


def test_repeated_images_count_once():
    metric, features = LatentGeometry(projections=None), torch.randn(6, 5)
    metric.update(({"pred": {"image_features": features}}, {"image_id": list("abcdef")}))
    once = metric.compute()
    metric.update(({"pred": {"image_features": features[:2]}}, {"image_id": ["a", "b"]}))
    assert metric.compute() == once


def test_images_without_a_report_are_left_out():
    data = items()
    data[3]["report"] = data[7]["report"] = " "
    engine = evaluator(data)
    engine.run()
    # Eight told images; reports 1 and 3 lost one of their two copies.
    assert engine.state.metrics["image_to_report_chance"] == pytest.approx((6 * 2 + 2 * 1) / 64)


def test_missing_outputs_are_named():
    with pytest.raises(CxrError, match="no 'image_features'"):
        LatentGeometry().update(({"pred": {}}, {}))
    with pytest.raises(CxrError, match="batch has no 'report'"):
        Retrieval().update(({"pred": {"image_projection": torch.ones(2, 2), "text_projection": torch.ones(2, 2)}}, {}))
    with pytest.raises(CxrError, match="saw no image"):
        LatentGeometry().compute()
    with pytest.raises(CxrError, match="is not one of its scores: effective_rank"):
        metric = LatentGeometry(main="rank", projections=None)
        metric.update(({"pred": {"image_features": torch.randn(4, 3)}}, {}))
        metric.completed(Engine(lambda *_: None), "geometry")
