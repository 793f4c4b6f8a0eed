"""Grad-CAM against MONAI's, and against a token network whose heat can be written down."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from monai.visualize import GradCAM
from torch import Tensor, nn

from scripts.encoders.base import FeatureEncoder
from scripts.tasks.classification.grad_cam import grad_cam
from scripts.tasks.classification.network import Classifier

IMAGE = torch.randn(3, 64, 64, generator=torch.Generator().manual_seed(0))
VIT: dict[str, Any] = {
    "model_type": "vit", "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32,
    "image_size": 64, "patch_size": 16,
}  # fmt: skip


def classifier(encoder: Any = "resnet10") -> Classifier:
    torch.manual_seed(0)
    options = {"widen_factor": 0.25} if isinstance(encoder, str) else {}
    return Classifier(encoder, 2, encoder_options=options)


@pytest.mark.parametrize("index", [0, 1])
@pytest.mark.parametrize("frozen", [False, True])
def test_a_resnets_heat_is_monais(index: int, frozen: bool) -> None:
    network = classifier().eval()
    theirs = GradCAM(classifier().eval(), "encoder.body.layer4", postprocessing=lambda heat: heat)
    if frozen:
        network.encoder.freeze()
    expected = theirs(IMAGE[None], class_idx=index)[0, 0].detach().numpy()
    assert expected.max() > 0
    np.testing.assert_allclose(grad_cam(network, IMAGE, index), expected / expected.max(), atol=1e-6)


class Mixer(nn.Module):
    """Block of tokens: the class token becomes the weighted sum of the others, which go nowhere else."""

    def __init__(self, weights: Tensor) -> None:
        super().__init__()
        self.weights = nn.Parameter(weights)

    def forward(self, hidden_states: Tensor) -> Tensor:
        first = (self.weights[None, :, None] * hidden_states[:, 1:]).sum(1, keepdim=True)
        return torch.cat([first, hidden_states[:, 1:]], dim=1)


class Tokens(FeatureEncoder):
    """One block over 2 x 2 patches of 32 pixels, of which the tokens are the mean colours."""

    def __init__(self, weights: Tensor, by_keyword: bool) -> None:
        super().__init__(nn.ModuleList([Mixer(weights)]))
        self.dim, self.channels, self.strides, self.by_keyword = 3, (3,), (32,), by_keyword

    def tokens(self, image: Tensor) -> Tensor:
        patches = nn.functional.avg_pool2d(image, 32).flatten(2).transpose(1, 2)
        tokens = torch.cat([torch.zeros(len(image), 1, 3), patches], dim=1)
        return self.body[0](hidden_states=tokens) if self.by_keyword else self.body[0](tokens)

    def forward(self, image: Tensor) -> list[Tensor]:
        return [self.tokens(image)[:, 1:].transpose(1, 2).unflatten(2, (2, 2))]

    def pooled(self, image: Tensor) -> Tensor:
        return self.tokens(image)[:, 0]

    def stages(self) -> list[nn.Module]:
        return [self.body]


@pytest.mark.parametrize("by_keyword", [False, True])
def test_tokens_are_looked_at_before_the_last_block(by_keyword: bool) -> None:
    """The class token is sum of w_i x_i, the logit v of it, so that the gradient at x_i is w_i v, its mean over the
    patches mean(w) v, and the heat of patch i max(0, mean(w) v x_i).
    """
    network = classifier(Tokens(torch.tensor([1.0, 2.0, 3.0, 4.0]), by_keyword))
    network.head.load_state_dict({"weight": torch.eye(3)[[1, 0]], "bias": torch.zeros(2)})
    image = torch.zeros(3, 64, 64)
    image[0, :32, 32:], image[0, 32:, :32] = 4.0, -1.0  # one patch for the class, one against it
    heat = grad_cam(network, image, 1)
    assert heat[:16, 48:].min() == pytest.approx(1)
    assert heat[48:, :].max() == 0
    assert heat[:, :16].max() == 0


@pytest.mark.parametrize("encoder", ["resnet10", VIT])
@pytest.mark.parametrize("frozen", [False, True])
def test_nothing_is_left_in_the_network(encoder: Any, frozen: bool) -> None:
    network = classifier(encoder)
    if frozen:
        network.encoder.freeze()
    network.train()
    network.head.eval()  # a mode of its own
    modes = {name: module.training for name, module in network.named_modules()}
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with torch.no_grad():  # as an evaluator runs
        heat = grad_cam(network, IMAGE, 1)
    assert heat.shape == (64, 64)
    assert heat.dtype == np.float32
    assert 0 <= heat.min() <= heat.max() <= 1
    assert {name: module.training for name, module in network.named_modules()} == modes
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())
    assert not any(m._forward_hooks or m._forward_pre_hooks or m._backward_hooks for m in network.modules())
    assert all(parameter.requires_grad is not frozen for parameter in network.encoder.parameters())


def test_an_error_inside_the_network_leaves_nothing_either() -> None:
    network = classifier().train()
    with pytest.raises(IndexError):
        grad_cam(network, IMAGE, 7)
    assert network.training
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())


def test_a_logit_that_rises_nowhere_has_no_heat() -> None:
    network = classifier()
    network.head.load_state_dict({name: value * 0 for name, value in network.head.state_dict().items()})
    assert grad_cam(network, IMAGE, 0).max() == 0
