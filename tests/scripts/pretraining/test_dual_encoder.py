"""What methods share: projections of images, reports and cells; keys of the state dict; groups of weight decay."""

from __future__ import annotations

import pytest
import torch
from monai.networks.nets import resnet18
from torch import nn

from scripts.encoders.factory import RESNET
from scripts.pretraining.decay import decay_groups
from scripts.pretraining.dual_encoder import DualEncoder, feature_dim
from scripts.pretraining.infonce import ConVirt
from scripts.pretraining.mflag import MFlag
from scripts.pretraining.siglip import SigLip


@pytest.fixture(scope="module")
def linear() -> DualEncoder:
    """A ResNet with one linear layer for each side, in eval mode."""
    torch.manual_seed(0)
    encoder = resnet18(**RESNET, widen_factor=0.25)
    return DualEncoder(encoder, nn.Linear(128, 6), nn.Linear(5, 6), precision="float32").eval()


@torch.no_grad()
def test_the_mean_of_the_projected_cells_is_the_projection_of_the_image(linear: DualEncoder) -> None:
    """Global average pooling and a linear layer may change places."""
    image = torch.randn(2, 3, 64, 96)
    cells = linear.project_cells(image)
    assert cells.shape == (2, 2, 3, 6)  # row first
    expected = linear(image, torch.randn(2, 5))["image_projection"]
    torch.testing.assert_close(cells.mean((1, 2)), expected, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_each_side_can_be_projected_alone(linear: DualEncoder) -> None:
    image, text = torch.randn(3, 3, 64, 64), torch.randn(3, 5)
    pred = linear(image, text)
    torch.testing.assert_close(linear.project_image(pred["image_features"]), pred["image_projection"])
    torch.testing.assert_close(linear.project_text(text), pred["text_projection"])


def test_stored_features_pass_in_place_of_images() -> None:
    network = DualEncoder(nn.Identity(), nn.Linear(4, 2), nn.Linear(5, 2), precision="float32")
    pred = network(torch.randn(3, 4), torch.randn(3, 5))
    assert pred["image_projection"].shape == pred["text_projection"].shape == (3, 2)


def test_an_encoder_that_knows_its_width_is_not_asked() -> None:
    encoder = nn.Flatten()
    encoder.dim = 7  # type: ignore[assignment]
    assert feature_dim(encoder) == 7
    assert feature_dim(nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten())) == 12


def test_mflag_keeps_the_keys_of_its_weights() -> None:
    keys = {key for key in MFlag(nn.Identity(), 5, image_dim=4).state_dict() if not key.startswith("encoder.")}
    norm = {"running_mean", "running_var", "num_batches_tracked"}
    layers = {"0": {"weight", "bias"}, "1": {"weight", "bias"} | norm, "3": {"weight", "bias"}, "4": norm}
    expected = {f"{layer}.{name}" for layer, names in layers.items() for name in names}
    assert keys == {f"{side}_projector.{key}" for side in ("image", "text") for key in expected}


@pytest.mark.parametrize(("method", "scalars"), [(MFlag, 0), (ConVirt, 1), (SigLip, 2)])
def test_a_temperature_does_not_decay_and_nothing_trained_is_forgotten(method: type[DualEncoder], scalars: int) -> None:
    network = method(nn.Linear(3, 4), 5, image_dim=4)  # type: ignore[arg-type, call-arg]
    network.encoder.bias.requires_grad_(False)
    groups = decay_groups(network)
    decaying, still = groups[0]["params"], groups[1]["params"] if len(groups) > 1 else []
    assert "weight_decay" not in groups[0]  # the optimizer's own
    assert len(still) == scalars
    assert [group["weight_decay"] for group in groups[1:]] == [0] * bool(scalars)
    trained = {id(p) for p in network.parameters() if p.requires_grad}
    assert {id(p) for p in (*decaying, *still)} == trained
