"""Grad-CAM (Selvaraju et al., ICCV 2017) of a task network, without a trace in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from ...encoders.base import FeatureEncoder
from ...engine.evaluating import evaluating
from ...engine.state import unwrap


def grad_cam(network: nn.Module, image: Tensor, class_index: int) -> NDArray[np.float32]:
    """Where the network's logit of one class comes from.

    The formula is that of MONAI's `GradCAM`, on the output of the encoder's last stage. Its own class leaves hooks and
    gradients in the network, and knows no tokens. A transformer is looked at before its last block: the class token is
    all that counts after it, so that the patch tokens have no gradient there.

    Args:
        network: with `encoder` (a `FeatureEncoder`), giving logits `(1, C)`; frozen or not, in any mode.
        image: `(C, H, W)`, normalised, as the dataset gives it.
        class_index: of the logit.

    Returns:
        `[H, W]` in [0, 1]; zero where the logit does not rise with the map anywhere.
    """
    network = unwrap(network)
    encoder = network.get_submodule("encoder")
    assert isinstance(encoder, FeatureEncoder)
    device = next(network.parameters()).device
    batch = image.detach().as_subclass(Tensor)[None].to(device)
    with evaluating(network), torch.enable_grad(), _tapped(_last_block(encoder)) as tapped:
        logit = network(batch)[0, class_index]
        (features,) = tapped
        (gradient,) = torch.autograd.grad(logit, features)
    if features.ndim == 3:
        with evaluating(network), torch.no_grad():
            rows, columns = encoder(batch)[-1].shape[-2:]
        features, gradient = (_as_map(tokens, rows, columns) for tokens in (features, gradient))
    weight = gradient.mean((2, 3), keepdim=True)
    heat = F.relu((weight * features.detach()).sum(1, keepdim=True)).float()
    heat = F.interpolate(heat, batch.shape[-2:], mode="bilinear", align_corners=False)[0, 0]
    scaled: NDArray[np.float32] = (heat / heat.max().clamp(min=1e-12)).cpu().numpy()
    return scaled


def _last_block(encoder: FeatureEncoder) -> nn.Module:
    """The module that is called last among those with spatial features; a stage may be a list of modules."""
    stage = encoder.stages()[-1]
    return stage[0] if isinstance(stage, nn.ModuleList) else stage


@contextmanager
def _tapped(block: nn.Module) -> Iterator[list[Tensor]]:
    """Collects the features at a block, cut from what is before them: maps that it gives, tokens that it gets.

    Cut, they have a gradient in a frozen network as well.
    """
    found: list[Tensor] = []

    def before(module: nn.Module, args: Any, kwargs: Any) -> Any:
        if args and args[0].ndim == 3:
            found.append(args[0].detach().requires_grad_())
            return (found[0], *args[1:]), kwargs
        if not args and kwargs["hidden_states"].ndim == 3:
            found.append(kwargs["hidden_states"].detach().requires_grad_())
            return args, kwargs | {"hidden_states": found[0]}
        return None

    def after(module: nn.Module, args: Any, output: Any) -> Any:
        if found:
            return None
        maps, rest = (output[0], output[1:]) if isinstance(output, tuple) else (output, None)
        found.append(maps.detach().requires_grad_())
        return found[0] if rest is None else (found[0], *rest)

    hooks = [block.register_forward_pre_hook(before, with_kwargs=True), block.register_forward_hook(after)]
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()


def _as_map(tokens: Tensor, rows: int, columns: int) -> Tensor:
    """`(1, T, D)` to `(1, D, rows, columns)`; class and register tokens stand before those of the patches."""
    return tokens[:, -rows * columns :].transpose(1, 2).unflatten(2, (rows, columns))
