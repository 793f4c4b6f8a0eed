"""Which parameters weight decay may pull towards zero."""

from __future__ import annotations

from typing import Any

from torch import nn


def decay_groups(network: nn.Module) -> list[dict[str, Any]]:
    """Parameter groups for AdamW: what is trained, and apart, without decay, a method's scalars.

    Zero is no neutral value of a temperature or a bias: decay would move the loss itself, by an amount that depends on
    the learning rate. A method without scalars has one group. Frozen parameters are left out.
    """
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    groups: list[dict[str, Any]] = [
        {"params": [parameter for parameter in trained if parameter.ndim > 0]},
        {"params": [parameter for parameter in trained if parameter.ndim == 0], "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]
