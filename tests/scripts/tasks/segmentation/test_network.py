"""The segmentation network: its decoders, any input size, sliding windows, every export by value."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from monai.inferers import SlidingWindowInferer
from torch import Tensor, nn
from torch.testing import assert_close

from scripts.encoders.base import FeatureEncoder
from scripts.errors import CxrError
from scripts.tasks.segmentation.decoders import TokenDecoder, UNetDecoder
from scripts.tasks.segmentation.network import Segmenter

THIN: dict[str, Any] = {"encoder": "resnet10", "encoder_options": {"widen_factor": 0.25}}
VIT = {
    "model_type": "dinov2",
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "patch_size": 14,
    "image_size": 56,
}


class Stages(FeatureEncoder):
    """Stands for an encoder without a map at half the size."""

    def __init__(self) -> None:
        super().__init__(nn.ModuleList([nn.Conv2d(3, 8, 4, stride=4), nn.Conv2d(8, 10, 2, stride=2)]))
        self.dim, self.channels, self.strides = 10, (8, 10), (4, 8)

    def forward(self, image: Tensor) -> list[Tensor]:
        first = self.body[0](image)
        return [first, self.body[1](first)]


def segmenter(encoder: str) -> Segmenter:
    torch.manual_seed(0)
    if encoder == "resnet":
        return Segmenter(**THIN, classes=2).eval()
    if encoder == "stages":
        return Segmenter(Stages(), classes=2, decoder_channels=(8, 6, 4)).eval()
    return Segmenter(VIT, classes=2).eval()


KINDS = pytest.mark.parametrize("encoder", ["resnet", "vit"])


def test_the_u_net_on_a_resnet_50_has_the_parameters_that_the_protocol_prints() -> None:
    """papers.md 2.5: the decoder of MGCA and GLoRIA trains 9.01 M."""
    decoder = Segmenter("resnet50", 1).decoder
    assert isinstance(decoder, UNetDecoder)
    assert round(sum(p.numel() for p in decoder.parameters()) / 1e6, 2) == 9.01


def test_tokens_get_the_token_decoder() -> None:
    decoder = segmenter("vit").decoder
    assert isinstance(decoder, TokenDecoder)
    widths = [module.out_channels for module in decoder.blocks.modules() if isinstance(module, nn.Conv2d)]
    assert widths == [512, 256, 128, 64]


@pytest.mark.parametrize("size", [(64, 64), (75, 101), (33, 200)], ids=str)
@pytest.mark.parametrize("encoder", ["resnet", "vit", "stages"])
def test_any_size_of_input_gives_a_mask_of_that_size(encoder: str, size: tuple[int, int]) -> None:
    logits = segmenter(encoder)(torch.randn(1, 3, *size))
    assert logits.shape == (1, 2, *size)
    assert logits.dtype == torch.float32


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({**THIN, "classes": 0}, "at least one mask"),
        ({**THIN, "classes": 1, "decoder_channels": (8, 4)}, "need 5"),
        ({"encoder": "resnet11", "classes": 1}, "resnet11"),
    ],
)
def test_a_setting_that_cannot_be_built_is_told(settings: dict[str, Any], word: str) -> None:
    with pytest.raises(CxrError, match=word):
        Segmenter(**settings)


def test_the_same_seed_builds_the_same_network_with_the_body_under_encoder() -> None:
    first, second = segmenter("resnet").state_dict(), segmenter("resnet").state_dict()
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert {key.split(".")[0] for key in first} == {"encoder", "decoder"}
    assert all(key.startswith("encoder.body.") for key in first if key.startswith("encoder"))


def test_every_parameter_learns() -> None:
    for encoder in ("resnet", "vit"):
        network = segmenter(encoder).train()
        network(torch.randn(2, 3, 64, 64)).square().sum().backward()
        assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.decoder.parameters())


def test_sliding_windows_agree_with_the_whole_image() -> None:
    """Where one window covers a pixel, and the image goes on for more than the network sees, both must be equal.

    Windows of 512 at columns 0 and 256 of 768 share columns 256 to 511; the other columns lie at least 256 pixels from
    a border that only the window has, and a ResNet-10 under this decoder sees 160 pixels to each side.
    """
    network = segmenter("resnet")
    image = torch.randn(1, 3, 512, 768)
    with torch.no_grad():
        whole = network(image)
        windows = SlidingWindowInferer(roi_size=(512, 512), sw_batch_size=2, overlap=0.5)(image, network)
    assert windows.shape == whole.shape
    assert_close(windows[..., :256], whole[..., :256], atol=1e-5, rtol=1e-5)
    assert_close(windows[..., 512:], whole[..., 512:], atol=1e-5, rtol=1e-5)


@KINDS
def test_torchscript_gives_the_same_values(encoder: str, tmp_path: Path) -> None:
    network, image = segmenter(encoder), torch.randn(2, 3, 64, 64)
    made = {"trace": torch.jit.trace(network, image)}
    if encoder == "resnet":
        made["script"] = torch.jit.script(network)
        other = torch.randn(1, 3, 75, 101)  # a script keeps no size
        assert_close(made["script"](other), network(other))
    for name, program in made.items():
        torch.jit.save(program, str(tmp_path / f"{name}.ts"))
        assert_close(torch.jit.load(str(tmp_path / f"{name}.ts"))(image), network(image), msg=name)


@KINDS
def test_torch_export_and_onnx_give_the_same_values_for_any_batch(encoder: str, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    network, image = segmenter(encoder), torch.randn(2, 3, 64, 64)
    exported = torch.export.export(network, (image,), dynamic_shapes={"image": {0: torch.export.Dim("batch")}})
    path = tmp_path / "network.onnx"
    torch.onnx.export(exported, (), str(path), verbose=False)
    session = onnxruntime.InferenceSession(str(path))
    for batch in (image, torch.randn(3, 3, 64, 64)):
        expected = network(batch)
        assert_close(exported.module()(batch), expected)
        found = session.run(None, {session.get_inputs()[0].name: batch.numpy()})[0]
        assert_close(torch.from_numpy(found), expected, atol=1e-5, rtol=1e-4)
