"""Thin strided convolutions are computed another way: the same function, which float64 (no oneDNN) shows."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from scripts.channels_last import channels_last
from scripts.errors import CxrError


@pytest.mark.parametrize("channels", [6, 24], ids=["thin", "usual"])
def test_values_gradients_and_state_are_the_same(channels: int) -> None:
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Conv2d(3, channels, 3, padding=1), nn.Conv2d(channels, 5, 1, stride=2)).double()
    found = channels_last(copy.deepcopy(plain))
    assert found[1].stride == ((1, 1) if channels == 6 else (2, 2))
    assert found.state_dict().keys() == plain.state_dict().keys()
    image = torch.randn(2, 3, 7, 10, dtype=torch.float64)
    for network in (plain, found):
        network(image).square().sum().backward()
    torch.testing.assert_close(found(image), plain(image))
    for ours, theirs in zip(found.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad)
    assert channels_last(found)[1].stride == found[1].stride  # a second time changes nothing
    torch.testing.assert_close(torch.jit.script(found)(image), plain(image))
    assert torch.export.export(found.eval(), (image,)).module()(image).shape == (2, 5, 4, 5)


def test_a_thin_one_of_another_kind_is_refused() -> None:
    class Standardized(nn.Conv2d):
        pass

    with pytest.raises(
        CxrError, match=r"^1: a strided convolution of one pixel with 6 channels.*make the encoder wider"
    ):
        channels_last(nn.Sequential(nn.Identity(), Standardized(6, 6, 1, stride=2)))
