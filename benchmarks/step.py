"""The pre-training step with stored text, against the authors' step with the language model inside it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from benchmarks.measure import Row, interleaved, one_thread
from scripts.encoders.factory import build_encoder
from scripts.pretraining.mflag import MFlag, MFlagLoss

AUTHORS = {"where": "features", "normalize": "none", "weight": 1.0}


def run(rounds: int = 3, batch: int = 16, seed: int = 0) -> list[Row]:
    """CPU milliseconds a pair of one step (forward, losses, backward), one thread, the ways in turn; medians.

    ResNet-50 at 224 x 224 and a 768-d text embedding in all of them. The authors' way (`reference` of M-FLAG's own
    code): float32, the images in PyTorch's default layout, BERT-base in the step under no-grad with every report padded
    to 512 tokens. Weights are random: they do not change the time.

    Args:
        rounds: measurements of each way.
        batch: pairs in a step.
        seed: of weights and images.
    """
    with one_thread(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        image, text = torch.randn(batch, 3, 224, 224), torch.randn(batch, 768)
        tokens = torch.randint(1000, 20000, (batch, 512))
        stored = {
            precision: _step(MFlag(build_encoder("resnet50"), text_dim=768, precision=precision), image, lambda: text)
            for precision in ("float32", "bfloat16")
        }
        theirs = MFlag(build_encoder("resnet50"), text_dim=768, precision="float32")
        theirs.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
        costs = interleaved(
            {
                "authors": _step(_DefaultLayout(theirs), image, _language_model(tokens)),
                **stored,
            },
            rounds,
        )
    names = {"float32": "fp32", "bfloat16": "bf16, channels last"}
    return [
        Row.of(
            f"M-FLAG step, stored text, {names[precision]}",
            "the authors' step: BERT-base inside, padded to 512, fp32",
            bar,
            [cost / batch for cost in costs[precision]],
            [cost / batch for cost in costs["authors"]],
        )
        for precision, bar in (("float32", 5.0), ("bfloat16", 12.0))
    ]


class _DefaultLayout(nn.Module):
    """The method without its channels-last layout, which the authors' code does not use."""

    def __init__(self, method: MFlag) -> None:
        super().__init__()
        self.method = method

    def forward(self, image: torch.Tensor, text: torch.Tensor) -> dict[str, torch.Tensor]:
        features = self.method.encoder(image)
        return {
            "image_features": features,
            "image_projection": self.method.image_projector(features),
            "text_projection": self.method.text_projector(text),
        }


def _step(network: nn.Module, image: torch.Tensor, text: Callable[[], torch.Tensor]) -> Callable[[], Any]:
    loss = MFlagLoss(**AUTHORS)  # type: ignore[arg-type]
    network.train()

    def step() -> None:
        network.zero_grad(set_to_none=True)
        loss(network(image, text())).backward()

    return step


def _language_model(tokens: torch.Tensor) -> Callable[[], torch.Tensor]:
    """BERT-base as the authors run it: eager attention, all 512 places, the first token of the last layer."""
    from transformers import BertConfig, BertModel

    model = BertModel(BertConfig(attn_implementation="eager"), add_pooling_layer=False).eval()
    mask = torch.ones_like(tokens)

    @torch.no_grad()
    def embed() -> torch.Tensor:
        return model(tokens, attention_mask=mask).last_hidden_state[:, 0]

    return embed
