"""Half precision inside, float32 outside, around any inferer."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from monai.inferers import SlidingWindowInferer
from torch import nn

from scripts.engine.autocast import AutocastInferer, full_precision


class Spy(nn.Module):
    """Gives back what it is given, and remembers in which type it computed."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(1, 1, 1)
        self.seen: torch.dtype | None = None

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        out = self.layer(image)
        self.seen = out.dtype
        return out


@pytest.mark.parametrize(("precision", "inside"), [("float32", torch.float32), ("bfloat16", torch.bfloat16)])
def test_the_network_computes_in_the_precision_and_gives_float32(precision: Any, inside: torch.dtype) -> None:
    network = Spy()
    out = AutocastInferer(precision)(torch.ones(1, 1, 4, 4), network)
    assert network.seen == inside
    assert out.dtype == torch.float32


def test_a_window_slides_within_it() -> None:
    network, image = Spy(), torch.rand(1, 1, 8, 8)
    out = AutocastInferer("float32", SlidingWindowInferer(roi_size=(4, 4)))(image, network)
    torch.testing.assert_close(out, network(image))


@pytest.mark.parametrize("training", [True, False])
def test_an_inferer_sees_the_networks_mode(training: bool) -> None:
    seen = []
    AutocastInferer("float32", lambda inputs, network: seen.append(network.training))(  # type: ignore[arg-type]
        torch.ones(1), Spy().train(training)
    )
    assert seen == [training]


def test_a_nest_is_converted_and_other_types_stay() -> None:
    value = {"a": [torch.ones(1, dtype=torch.bfloat16), torch.ones(1, dtype=torch.int64)], "b": "text"}
    out = full_precision(value)
    assert [one.dtype for one in out["a"]] == [torch.float32, torch.int64]
    assert out["b"] == "text"


def test_a_precision_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="float16"):
        AutocastInferer("float16")  # type: ignore[arg-type]
