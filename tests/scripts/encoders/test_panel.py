"""EncoderPanel: one pass, several encoders, and baselines that are what they say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from monai.networks.nets import resnet10
from torch import nn
from transformers import Dinov2Config, Dinov2Model

from scripts.encoders.panel import EncoderPanel, PixelGrid
from scripts.encoders.pooled import PooledEncoder
from scripts.errors import CxrError

FORM = {"spatial_dims": 2, "n_input_channels": 3, "bias_downsample": False, "feed_forward": False, "widen_factor": 0.25}
IMAGES = torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def encoder(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return resnet10(**FORM)


def features(panel: nn.Module) -> dict[str, torch.Tensor]:
    with torch.no_grad():
        return panel.eval()(IMAGES)


def test_a_trained_member_gives_what_its_encoder_gives(tmp_path: Path) -> None:
    trained = encoder(5).eval()
    torch.save(trained.state_dict(), tmp_path / "model.pt")
    template = encoder(6)
    found = features(EncoderPanel(template, {"ours, v1.0": tmp_path / "model.pt"}, random_seeds=(0, 1)))
    assert list(found) == ["ours, v1.0", "random initialisation 0", "random initialisation 1", "16 x 16 pixels"]
    with torch.no_grad():
        torch.testing.assert_close(found["ours, v1.0"], trained(IMAGES))
    # The template itself, which a method may hold as well, is left alone.
    assert all(torch.equal(a, b) for a, b in zip(template.parameters(), encoder(6).parameters(), strict=True))


def test_random_members_differ_by_seed_and_come_back() -> None:
    found = features(EncoderPanel(encoder(0), {}, random_seeds=(0, 1, 2)))
    again = features(EncoderPanel(encoder(9), {}, random_seeds=(2, 0)))  # whatever the template's own weights are
    names = [f"random initialisation {seed}" for seed in range(3)]
    for i, name in enumerate(names):
        assert not torch.allclose(found[name], found[names[i - 1]])
        if name in again:
            assert torch.equal(found[name], again[name])


def test_making_a_panel_leaves_the_generator_alone() -> None:
    template = encoder(0)
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    EncoderPanel(template, {}, random_seeds=(0,))
    assert torch.equal(torch.rand(2), expected)


def test_a_random_member_is_as_spread_as_a_new_encoder() -> None:
    """Drawn anew by the scheme of the encoder's own constructor: each layer's spread is that of a fresh network."""
    panel = EncoderPanel(encoder(0), {}, random_seeds=(7,), pixels=False)
    member, fresh = panel.members[0], encoder(11)
    for (name, ours), theirs in zip(member.named_parameters(), fresh.parameters(), strict=True):
        if ours.ndim > 1:
            assert ours.std().item() == pytest.approx(theirs.std().item(), rel=0.1), name
        else:
            assert torch.equal(ours, theirs), name  # batch norm starts at one and zero
    assert all(bool((buffer == 0).all()) for name, buffer in member.named_buffers() if "running_mean" in name)


def test_the_pixels_are_area_means() -> None:
    image = torch.arange(32.0).repeat(1, 3, 32, 1)  # grey rises from left to right
    found = PixelGrid()(image).reshape(16, 16)
    assert torch.equal(found, torch.arange(0.5, 32, 2).repeat(16, 1))


def test_weights_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    state = encoder().state_dict()
    state.pop("conv1.weight")
    torch.save(state, tmp_path / "model.pt")
    with pytest.raises(CxrError, match=r"1 missing \(conv1\.weight\)"):
        EncoderPanel(encoder(), {"ours": tmp_path / "model.pt"})


TOKENS = {
    "model_type": "dinov2", "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 64,
    "patch_size": 8,
}  # fmt: skip
ADAPTOR = {"body": TOKENS, "width": 16, "layers": 1, "heads": 2, "hidden": 8}


@pytest.mark.parametrize(
    ("name", "options"),
    [("densenet121", {"growth_rate": 4, "init_features": 8}), (TOKENS, {}), ("adaptor", ADAPTOR)],
)
def test_any_encoder_has_a_panel(name: Any, options: dict[str, Any], tmp_path: Path) -> None:
    torch.manual_seed(1)
    template, trained = PooledEncoder(name, options), PooledEncoder(name, options)
    torch.save(trained.state_dict(), tmp_path / "model.pt")
    panel = EncoderPanel(template, {"ours": tmp_path / "model.pt"}, random_seeds=(0, 1), pixels=False)
    found = features(panel)
    frozen = ["frozen encoder"] if name == "adaptor" else []
    assert list(found) == ["ours", *frozen, "random initialisation 0", "random initialisation 1"]
    with torch.no_grad():
        torch.testing.assert_close(found["ours"], trained.eval()(IMAGES))
        if frozen:  # the one that the adaptor was trained on, whatever the template was made with
            inner = trained.encoder.body.get_submodule("inner")
            torch.testing.assert_close(found["frozen encoder"], inner.pooled(IMAGES))
    first, second = found["random initialisation 0"], found["random initialisation 1"]
    assert not torch.allclose(first, second)
    again = features(EncoderPanel(trained, {}, random_seeds=(1,), pixels=False))
    assert torch.equal(again["random initialisation 1"], second)


def test_a_random_transformer_is_a_new_one() -> None:
    """The member of seed 7 has the weights that the library gives a model that is made with this seed."""
    panel = EncoderPanel(PooledEncoder(TOKENS), {}, random_seeds=(7,), pixels=False)
    torch.manual_seed(7)
    fresh = Dinov2Model(Dinov2Config(**{key: value for key, value in TOKENS.items() if key != "model_type"}))
    ours = panel.members[0].get_submodule("encoder.body").state_dict()
    assert all(torch.equal(ours[key], value) for key, value in fresh.state_dict().items())


@pytest.mark.parametrize("tokens", ["pooled", "patch"])
def test_adaptors_on_one_frozen_encoder_share_its_look(
    tokens: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = {"model_type": "dinov2", "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    options = {"body": body, "tokens": tokens, "width": 8, "heads": 2, "hidden": 8}
    weights = {}
    for name, seed in (("ours", 0), ("on another encoder", 1)):
        torch.manual_seed(seed)
        made = PooledEncoder("adaptor", options)
        torch.save(made.state_dict(), tmp_path / f"{name}.pt")
        weights[name] = tmp_path / f"{name}.pt"
    panel = EncoderPanel(PooledEncoder("adaptor", options), weights, random_seeds=(0, 1)).eval()
    with torch.no_grad():
        alone = {name: member(IMAGES) for name, member in zip(panel.names, panel.members)}
    looks: list[None] = []
    monkeypatch.setattr(Dinov2Model, "forward", _counted(Dinov2Model.forward, looks))
    found = features(panel)
    assert len(looks) == 3  # for `ours` and the random ones together, for the other, for the frozen encoder itself
    for name, wanted in alone.items():
        torch.testing.assert_close(found[name], wanted)
    template = PooledEncoder("adaptor", options)
    assert features(EncoderPanel(template, {}, random_seeds=(0,)))["random initialisation 0"].shape == (3, 8)


def _counted(function: Any, calls: list[None]) -> Any:
    def counted(*args: Any, **kwargs: Any) -> Any:
        calls.append(None)
        return function(*args, **kwargs)

    return counted
