"""What an encoder expects of its images: the mean and deviation that they are normalised by, of an image from 0 to 1.

The workflows hand over images normalised by the grey mean and deviation of ImageNet's colours. A vision model of
transformers has its own in its folder; a CNN gets them with the weights that were trained with them, in its first
convolution, where every consumer of the network meets them: the tasks, the frozen features, an export.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn

from ..errors import CxrError

GREY_MEAN, GREY_STD = 0.449, 0.226
Numbers = float | Sequence[float]


class Normalization(NamedTuple):
    """Mean and deviation, one for all channels or one for each; and who says so."""

    mean: tuple[float, ...]
    std: tuple[float, ...]
    source: str = ""

    def __str__(self) -> str:
        mean, std = (", ".join(f"{value:.6g}" for value in values) for values in (self.mean, self.std))
        return f"mean {mean}, deviation {std}"


class NormalizedConv2d(nn.Conv2d):
    """A first convolution that takes images as the workflows normalise them, and turns them into those that its weights
    were trained on. A stock convolution becomes one in place: its parameters, and whoever holds it, stay.
    """

    if TYPE_CHECKING:  # not at run time, for TorchScript
        scale: Tensor
        shift: Tensor

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """As `nn.Conv2d`, whose zero padding is a zero of the other normalisation."""
        return self._conv_forward(image * self.scale + self.shift, self.weight, self.bias)


def normalization(mean: Numbers | None, std: Numbers | None, source: str = "encoder_mean and encoder_std") -> Any:
    """The `Normalization` of two settings; None where neither is given.

    Raises:
        CxrError: one is missing, or they are no numbers that an image can be normalised by.
    """
    if mean is None and std is None:
        return None
    if mean is None or std is None:
        raise CxrError("encoder_mean and encoder_std go together: give both, of an image from 0 to 1.")
    found = []
    for name, value in (("encoder_mean", mean), ("encoder_std", std)):
        values = list(value) if isinstance(value, Sequence) and not isinstance(value, str) else [value]
        plain = all(isinstance(one, (int, float)) and not isinstance(one, bool) for one in values)
        if not plain or len(values) not in (1, 3) or not all(map(math.isfinite, values)):
            raise CxrError(f"{name} must be a number, or three of them, not {value!r}: say 0.5 or [0.485,0.456,0.406].")
        if name == "encoder_std" and min(values) <= 0:
            raise CxrError(f"encoder_std must be above 0, not {value!r}.")
        found.append(tuple(map(float, values)))
    return Normalization(found[0], found[1], source)


def scale_and_shift(wanted: Normalization, channels: int) -> tuple[Tensor, Tensor]:
    """`(1, C, 1, 1)` each: a workflow's image times the first, plus the second, is normalised as wanted.

    Raises:
        CxrError: there is not one mean and deviation for each channel.
    """
    sides = []
    for values in (wanted.mean, wanted.std):
        if len(values) not in (1, channels):
            raise CxrError(f"The encoder's images have {channels} channels, not the {len(values)} of '{wanted}'.")
        sides.append(torch.tensor(values, dtype=torch.float64).expand(channels).reshape(1, channels, 1, 1))
    mean, std = sides
    return (GREY_STD / std).float(), ((GREY_MEAN - mean) / std).float()


def first_convolution(body: nn.Module) -> nn.Conv2d | None:
    """Of MONAI's ResNet or DenseNet; None of any other network."""
    for name in ("conv1", "features.conv0"):
        try:
            found = body.get_submodule(name)
        except AttributeError:
            continue
        if isinstance(found, nn.Conv2d):
            return found
    return None


def normalize_images(body: nn.Module, wanted: Normalization) -> None:
    """Has the body of an encoder take its images so normalised, in place.

    Raises:
        CxrError: it has other channels.
    """
    layer = first_convolution(body)
    if layer is None:  # a model of transformers, whose wrapper reads them
        config: Any = getattr(body, "config", None)
        if config is None:
            raise CxrError(f"{type(body).__name__} takes no encoder_mean and encoder_std.")
        config.image_mean, config.image_std = (_each(side, config) for side in (wanted.mean, wanted.std))
        return
    scale, shift = scale_and_shift(wanted, layer.in_channels)
    _hold(layer, scale.to(layer.weight.device), shift.to(layer.weight.device))


def adopt_normalization(network: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Makes the first convolutions of a network, in place, such that a state dict with their normalisation fits."""
    modules = dict(network.named_modules())
    for key, scale in weights.items():
        name, _, last = key.rpartition(".")
        layer, shift = modules.get(name), weights.get(f"{name}.shift")
        if last == "scale" and shift is not None and type(layer) is nn.Conv2d and scale.ndim == shift.ndim == 4:
            _hold(layer, torch.ones_like(scale), torch.zeros_like(shift))


def image_statistics(network: nn.Module) -> Normalization | None:
    """What a network's encoder normalises its images by; None where that is what the workflows do anyway."""
    for module in network.modules():
        scale, shift = (getattr(module, name, None) for name in ("scale", "shift"))
        if isinstance(scale, Tensor) and isinstance(shift, Tensor) and scale.ndim == 4:
            found = read_normalization(scale, shift)
            return None if (found.mean, found.std) == ((GREY_MEAN,), (GREY_STD,)) else found
    return None


def read_normalization(scale: Tensor, shift: Tensor) -> Normalization:
    """Inverse of `scale_and_shift`, to 7 digits; one number where all channels have the same."""
    std = GREY_STD / scale.detach().double().flatten().cpu()
    mean = GREY_MEAN - shift.detach().double().flatten().cpu() * std
    means = tuple(round(one, 7) + 0.0 for one in mean.tolist())  # float32's rounding; no -0
    deviations = tuple(float(f"{one:.7g}") for one in std.tolist())
    return Normalization(_shortest(means), _shortest(deviations), "the file")


def _shortest(channels: tuple[float, ...]) -> tuple[float, ...]:
    return channels[:1] if len(set(channels)) == 1 else channels


def _each(values: tuple[float, ...], config: Any) -> list[float]:
    channels = getattr(config, "num_channels", 3)
    return list(values) if len(values) == channels else [values[0]] * channels


def _hold(layer: nn.Conv2d, scale: Tensor, shift: Tensor) -> None:
    layer.__class__ = NormalizedConv2d
    layer.register_buffer("scale", scale)
    layer.register_buffer("shift", shift)
