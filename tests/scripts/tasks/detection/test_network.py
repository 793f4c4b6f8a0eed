"""The detection network and its anchors."""

from __future__ import annotations

import pytest
import torch

from scripts.tasks.detection.anchors import ANCHORS, ShareAnchors
from scripts.tasks.detection.average_precision import box_iou
from scripts.tasks.detection.box_order import from_monai, to_monai
from scripts.tasks.detection.network import Detector

TRANSFORMER = {  # one map of patch tokens
    "model_type": "vit",
    "hidden_size": 24,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "image_size": 64,
    "patch_size": 16,
}
HIERARCHY = {"model_type": "convnextv2", "hidden_sizes": [8, 8, 16, 16], "depths": [1, 1, 1, 1]}


def network(encoder="resnet10", classes=3):
    torch.manual_seed(0)
    return Detector(encoder, classes, {"widen_factor": 0.25} if encoder == "resnet10" else {}, fpn_channels=16)


@pytest.mark.parametrize("encoder", ["resnet10", TRANSFORMER, HIERARCHY], ids=["resnet", "vit", "convnext"])
def test_output_is_that_of_monais_retinanet(encoder):
    net = network(encoder)
    outputs = net(torch.randn(2, 3, 96, 128))
    places = [(12, 16), (6, 8), (3, 4), (2, 2)]
    assert [tuple(level.shape) for level in outputs["classification"]] == [(2, ANCHORS * 3, *p) for p in places]
    assert [tuple(level.shape) for level in outputs["box_regression"]] == [(2, ANCHORS * 4, *p) for p in places]
    sum(level.sum() for levels in outputs.values() for level in levels).backward()
    assert all(parameter.grad is not None for parameter in net.pyramid.parameters())


def test_scores_begin_at_the_prior():
    logits = network()(torch.randn(1, 3, 64, 64))["classification"]
    scores = torch.cat([level.flatten() for level in logits]).sigmoid()
    assert scores.mean().item() == pytest.approx(0.01, rel=0.2)


def test_raw_state_dict_loads_strictly():
    net, other = network(), network()
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.add_(1)
    other.load_state_dict(net.state_dict(), strict=True)
    assert any(key.startswith("encoder.body.") for key in net.state_dict())
    image = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        for a, b in zip(net.eval()(image)["classification"], other.eval()(image)["classification"]):
            torch.testing.assert_close(a, b, rtol=0, atol=0)


@pytest.mark.parametrize("shape", [(224, 224), (64, 96)])
def test_anchors_are_shares_of_the_image(shape):
    maps = [torch.zeros(2, 1, *(-(-side // stride) for side in shape)) for stride in (8, 16, 32, 64)]
    first, second = ShareAnchors()(torch.zeros(2, 3, *shape), maps)
    assert first is second
    assert len(first) == ANCHORS * sum(level[0, 0].numel() for level in maps)
    sizes = (first[:, 2:] - first[:, :2]).prod(dim=1).sqrt() / max(shape)
    torch.testing.assert_close(sizes.min(), torch.tensor(1 / 16), rtol=1e-5, atol=0)
    torch.testing.assert_close(sizes.max(), torch.tensor(0.8), rtol=1e-5, atol=0)
    # Rows first: the centres fill the image's height in the first column, its width in the second.
    centres = (first[:, 2:] + first[:, :2]) / 2
    for axis in (0, 1):
        assert 0 < centres[:, axis].min() < 0.1 * shape[axis]
        assert 0.9 * shape[axis] < centres[:, axis].max() < shape[axis]


@pytest.mark.parametrize("ratio", [0.5, 1.0, 2.2])
@pytest.mark.parametrize("share", [0.08, 0.2, 0.45, 0.62])
def test_every_finding_has_an_anchor(share, ratio):
    maps = [torch.zeros(1, 1, *(-(-224 // s),) * 2) for s in (8, 16, 32, 64)]
    anchors = ShareAnchors()(torch.zeros(1, 3, 224, 224), maps)[0]
    size = torch.tensor([ratio**0.5, ratio**-0.5]) * share * 224
    low = torch.rand(100, 2, generator=torch.Generator().manual_seed(0)) * (224 - size).clamp(min=0)
    best = torch.from_numpy(box_iou(torch.cat([low, low + size], 1), anchors)).amax(dim=1)
    assert best.min() > 0.35
    assert best.mean() > 0.5


def test_border_swaps_rows_and_columns():
    boxes = torch.tensor([[1, 2, 30, 40]], dtype=torch.bfloat16)
    assert to_monai(boxes).tolist() == [[2, 1, 40, 30]]
    assert to_monai(boxes).dtype == torch.float32
    assert from_monai(to_monai(boxes)).tolist() == [[1, 2, 30, 40]]
    assert to_monai(torch.zeros(0, 4)).shape == (0, 4)
