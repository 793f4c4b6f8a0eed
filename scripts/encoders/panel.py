"""Several encoders looked at side by side: the trained one beside its baselines, on the same images in the same
pass.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from .factory import feature_encoder
from .pooled import PooledEncoder
from .weights import load_weights


class PixelGrid(nn.Module):
    """Trivial baseline: the image shrunk to `size` x `size` grey values, as the features.

    Args:
        size: side of the grid; 16 is what the probes of the literature's sanity checks use.
    """

    def __init__(self, size: int = 16) -> None:
        super().__init__()
        self.size = size

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """`(B, C, H, W)` to `(B, size * size)`."""
        grey = image.float().mean(1, keepdim=True)
        return F.interpolate(grey, (self.size, self.size), mode="area").flatten(1)


class EncoderPanel(nn.Module):
    """Features of one batch from each of several encoders of one architecture.

    Of an encoder with an adaptor, what stays frozen inside the first member is one more, `frozen encoder`: what there
    was before the adaptor was trained. The random members are adaptors of fresh weights then, on that frozen encoder.

    Args:
        encoder: the architecture, a stock ResNet or a `PooledEncoder`; it is copied for each member.
        weights: name of a member to the file of its weights.
        random_seeds: one member of fresh random weights for each seed, called `random initialisation 0`, …
        pixels: adds the 16 x 16 pixel grid as the trivial member.
    """

    def __init__(
        self,
        encoder: nn.Module,
        weights: Mapping[str, str | Path],
        random_seeds: Sequence[int] = (0, 1, 2),
        pixels: bool = True,
    ) -> None:
        super().__init__()
        members: dict[str, nn.Module] = {
            name: load_weights(copy.deepcopy(encoder), path) for name, path in weights.items()
        }
        # Not the template's own: what an adaptor stands on, which may be random too, is in the file of its weights.
        first = next(iter(members.values()), encoder)
        if isinstance(first, PooledEncoder) and (alone := first.without_adaptor()) is not None:
            members[FROZEN] = copy.deepcopy(alone)
        members |= {f"{RANDOM} {seed}": reinitialized(first, seed) for seed in random_seeds}
        if pixels:
            members[PIXELS] = PixelGrid()
        self.names = list(members)
        # Adaptors on one frozen encoder, which then looks at an image once for all of them.
        self.together = {name for name, member in members.items() if FROZEN in members and _stand_on_one(first, member)}
        # A ModuleDict refuses dots in names, and a name here is for people.
        self.members = nn.ModuleList(members.values())

    def forward(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        """`(B, C, H, W)` to `{name: (B, D)}`, float32."""
        image = image.contiguous(memory_format=torch.channels_last)
        members = dict(zip(self.names, self.members, strict=True))
        one: Any = next((members[name] for name in self.names if name in self.together), None)
        stored = image if one is None else one.frozen_features(image)
        return {name: member(stored if name in self.together else image).float() for name, member in members.items()}


RANDOM = "random initialisation"
PIXELS = "16 x 16 pixels"
FROZEN = "frozen encoder"


def _stand_on_one(first: nn.Module, other: nn.Module) -> bool:
    """Whether two adapted encoders have the same frozen encoder under them."""
    if not isinstance(first, PooledEncoder) or not isinstance(other, PooledEncoder):
        return False
    if other.without_adaptor() is None:
        return False
    ours, theirs = first.frozen_part().state_dict(), other.frozen_part().state_dict()
    return all(torch.equal(value, theirs[key]) for key, value in ours.items())


def reinitialized(encoder: nn.Module, seed: int) -> nn.Module:
    """A copy with fresh weights, drawn from `seed` (see `FeatureEncoder.reinitialize`)."""
    copied = copy.deepcopy(encoder)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        feature_encoder(copied).reinitialize()
    return copied
