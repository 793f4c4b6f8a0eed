"""Probabilities of logits: numbers by hand, and the transform on what a host's decollation gives."""

from __future__ import annotations

from math import exp, log

import pytest
import torch
from monai.data import MetaTensor

from scripts.errors import CxrError
from scripts.tasks.probabilities import Probabilitiesd, probabilities


def test_values_by_hand() -> None:
    logits = torch.tensor([log(3.0), 0.0, -log(4.0)])
    torch.testing.assert_close(probabilities(logits), torch.tensor([0.75, 0.5, 0.2]))
    torch.testing.assert_close(probabilities(logits, "multiclass"), torch.tensor([3.0, 1.0, 0.25]) / 4.25)
    halved = torch.tensor([3**0.5 / (1 + 3**0.5), 0.5, 1 / 3])  # a temperature of 2 takes the root of the odds
    torch.testing.assert_close(probabilities(logits, temperature=2.0), halved)


@pytest.mark.parametrize("shape", [(3,), (3, 4, 4)])
def test_each_name_has_its_temperature(shape: tuple[int, ...]) -> None:
    logits = torch.full(shape, 2.0)
    found = probabilities(logits, temperature=[1.0, 2.0, 4.0])
    for channel, scaled in zip(found, (2.0, 1.0, 0.5), strict=True):
        torch.testing.assert_close(channel, torch.full(shape[1:], 1 / (1 + exp(-scaled))))
    torch.testing.assert_close(probabilities(logits[None], temperature=[1.0, 2.0, 4.0], dim=1)[0], found)


@pytest.mark.parametrize("mode", ["multilabel", "multiclass"])
def test_the_transform_keeps_the_rest_of_the_item(mode: str) -> None:
    pred = MetaTensor(torch.randn(2, 4, 4).half(), meta={"filename_or_obj": "x.png"})
    item = Probabilitiesd("pred", mode=mode, temperature=1.5)({"image": 1, "pred": pred})  # type: ignore[arg-type]
    assert item["image"] == 1
    assert item["pred"].meta["filename_or_obj"] == "x.png"
    assert item["pred"].dtype == torch.float32 and item["pred"].shape == (2, 4, 4)
    assert ((item["pred"] >= 0) & (item["pred"] <= 1)).all()
    with pytest.raises(KeyError):
        Probabilitiesd("other")({"pred": pred})
    assert Probabilitiesd("other", allow_missing_keys=True)({"pred": pred})["pred"] is pred


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"mode": "binary"}, "multilabel or multiclass"),
        ({"temperature": 0.0}, "above 0"),
        ({"temperature": [1.0, 1.0]}, "2 temperatures for 3 names .* or one a name"),
        ({"mode": "multiclass", "temperature": [1.0, 1.0, 1.0]}, "give one number"),
    ],
)
def test_wrong_settings_are_said(options: dict, said: str) -> None:
    with pytest.raises(CxrError, match=said):
        probabilities(torch.zeros(3), **options)
