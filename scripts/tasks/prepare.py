"""A task's network made ready to train: whose weights it starts from, what of it learns, and how fast."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn
from torch.func import functional_call
from torch.utils._pytree import tree_leaves

from ..channels_last import channels_last
from ..encoders.base import FeatureEncoder
from ..encoders.factory import load_body
from ..encoders.normalization import Numbers
from ..encoders.weights import RANDOM, load_weights

Network = TypeVar("Network", bound=nn.Module)
_PROBE = 64  # pixels


def prepare_network(
    network: Network,
    encoder_weights: str | Path | None = None,
    frozen: bool = True,
    weights: str | Path | None = None,
    encoder_mean: Numbers | None = None,
    encoder_std: Numbers | None = None,
) -> Network:
    """Loads weights into a task's network, freezes its encoder or lets it learn, and lays it out for fast convolution.

    A learning encoder's parameters that the output does not depend on (a mask token, a norm that only another task
    uses) are frozen: a run on several ranks would wait for their gradients.

    Args:
        network: has the encoder as `encoder`; is changed in place, and returned.
        encoder_weights: see `scripts.encoders.load_body`; none leaves the encoder random.
        frozen: the encoder stays as it is, in eval mode (see `FeatureEncoder.freeze`).
        weights: state dict of the whole network, the encoder in it, to start from or to evaluate; none, or "random",
            loads nothing.
        encoder_mean, encoder_std: see `scripts.encoders.load_body`.

    Raises:
        CxrError: weights do not fit; the keys are listed.
    """
    encoder: FeatureEncoder = network.encoder  # type: ignore[assignment]
    whole = bool(weights) and weights != RANDOM
    load_body(encoder, None if whole else encoder_weights, encoder_mean, encoder_std)
    if whole:
        load_weights(network, weights)  # type: ignore[arg-type]
    if frozen:
        encoder.freeze()
    else:
        for parameter in _unused(network):
            parameter.requires_grad_(False)
    return channels_last(network)


def parameter_groups(
    network: nn.Module,
    lr: float,
    weight_decay: float,
    encoder_lr: float | None = None,
    layer_decay: float = 1.0,
) -> list[dict[str, Any]]:
    """Parameter groups for an optimizer: the head at `lr`, the encoder's stage `k` steps from its output at
    `encoder_lr * layer_decay ** k`.

    Only matrices and kernels decay; norms, biases, class tokens and position embeddings do not. Frozen parameters are
    left out. The layer-wise rates are those of BEiT (Bao et al. 2022), with the encoder's last stage at the full rate.

    Args:
        encoder_lr: as `lr` when None.

    Returns:
        groups with `name`, `params`, `lr` and `weight_decay`.
    """
    encoder: FeatureEncoder = network.encoder  # type: ignore[assignment]
    stages = encoder.stages()
    stage_of = {id(p): i for i, stage in enumerate(stages) for p in stage.parameters()}
    inside = {id(p) for p in encoder.parameters()}
    groups: dict[str, dict[str, Any]] = {}
    for name, parameter in network.named_parameters():
        if not parameter.requires_grad:
            continue
        part, rate = "head", lr
        if id(parameter) in inside:
            stage = stage_of.get(id(parameter), 0)
            part = f"encoder stage {stage + 1}"
            rate = (lr if encoder_lr is None else encoder_lr) * layer_decay ** (len(stages) - 1 - stage)
        decays = name.endswith("weight") and parameter.ndim > 1
        key = part if decays else f"{part}, no decay"
        group = {"name": key, "params": [], "lr": rate, "weight_decay": weight_decay if decays else 0.0}
        groups.setdefault(key, group)["params"].append(parameter)
    return list(groups.values())


def _unused(network: nn.Module) -> Iterator[nn.Parameter]:
    """Parameters that no output depends on: one small batch, which leaves statistics and random state as they are."""
    parameters = dict(network.named_parameters())
    tensors = {name: parameter.detach().requires_grad_() for name, parameter in parameters.items()}
    buffers = {name: buffer.clone() for name, buffer in network.named_buffers()}
    image = torch.zeros(2, 3, _PROBE, _PROBE, device=next(iter(tensors.values())).device)
    with torch.random.fork_rng(devices=[]):
        output = functional_call(network, {**tensors, **buffers}, (image,))
    total = torch.stack([leaf.float().sum() for leaf in tree_leaves(output)]).sum()
    gradients = torch.autograd.grad(total, list(tensors.values()), allow_unused=True)
    for name, gradient in zip(tensors, gradients, strict=True):
        if gradient is None:
            yield parameters[name]
