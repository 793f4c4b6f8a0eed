"""A network in the memory format in which convolutions are fastest, without what oneDNN computes wrongly in it."""

from __future__ import annotations

from typing import Any, Tuple  # noqa: UP035

import torch
from torch import Tensor, nn

from .errors import CxrError

BLOCK = 16  # channels of a block of oneDNN's on AVX-512; 8 on AVX2


def channels_last(network: nn.Module) -> Any:
    """The network in channels-last format; changed in place, and returned.

    On a CPU, oneDNN up to 3.12 at least (torch 2.13 and 2.14) writes past its buffer in the backward pass of a strided
    convolution of one pixel when that has fewer input channels than a block
    (https://github.com/uxlfoundation/oneDNN/issues/6035): with several threads the process may die. Such thin ones, as
    a ResNet of an eighth of the usual width has them, take every stride-th pixel first, and are convolutions of stride
    1 after it: the same values, parameters and state dict.

    Raises:
        CxrError: a thin one is of a kind of its own (a subclass), whose stride cannot be taken out.
    """
    for name, module in network.named_modules():
        if not isinstance(module, nn.Conv2d) or not _is_thin(module):
            continue
        if type(module) is not nn.Conv2d or any(module.padding):
            raise CxrError(
                f"{name}: a strided convolution of one pixel with {module.in_channels} channels, in whose training "
                f"on a CPU torch {torch.__version__} may die: make the encoder wider, to {BLOCK} channels there."
            )
        module.step = module.stride  # type: ignore[assignment]
        module.register_forward_pre_hook(_take_every)
        module.stride = (1, 1)
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def _is_thin(module: nn.Conv2d) -> bool:
    strided = max(module.kernel_size) == 1 and max(module.stride) > 1
    return strided and module.in_channels // module.groups < BLOCK


def _take_every(self: nn.Conv2d, input: Tuple[Tensor]) -> Tuple[Tensor]:  # noqa: UP006
    # As TorchScript takes a hook: a method with these names and types.
    rows, columns = self.step  # type: ignore[misc]
    return (input[0][:, :, ::rows, ::columns],)
