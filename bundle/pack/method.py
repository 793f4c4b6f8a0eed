"""The method of a pre-training's pack: its overlay, what is told of it, and the whole module that it has trained."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from monai.bundle import ConfigParser
from torch import nn

from scripts.encoders.weights import RANDOM, load_weights, read_weights
from scripts.errors import CxrError

Config = dict[str, Any]
TOLD = "_metadata_"  # of an overlay: what is true of its packs in place of what metadata.json says


def read_overlay(root: Path, method: str) -> Config:
    """What a method puts over `configs/train.json`; empty for the one that train.json trains itself.

    Args:
        root: of the project.
        method: as its run recorded it.

    Raises:
        CxrError: there is no such overlay.
    """
    file = root / "configs" / f"{method}.json"
    if file.is_file():
        return ConfigParser.load_config_file(file)
    plain = ConfigParser.load_config_file(root / "configs" / "train.json")["method"]["_target_"]
    if plain.rpartition(".")[2].lower() == method:
        return {}
    raise CxrError(f"The weights were trained by {method}, and there is no {file}: put the method's overlay there.")


def describe_method(metadata: dict[str, Any], overlay: Mapping[str, Any]) -> None:
    """Has the metadata tell of the overlay's method, in place; what it says is null of is left out."""
    metadata |= overlay.get(TOLD, {})
    for name in [name for name, value in metadata.items() if value is None]:
        del metadata[name]


def read_module(
    path: Path, encoder: nn.Module, config: Config, settings: Mapping[str, Any]
) -> dict[str, torch.Tensor] | None:
    """The whole pre-trained module, projectors or head included, as the pack's train.json builds it.

    Args:
        path: `pretraining.pt` beside the weights.
        encoder: the pack's.
        config: train.json of the pack.
        settings: of the run; they tell how wide the text embeddings were.

    Returns:
        Its state dict; None when there is no such file, or it is not of these weights.

    Raises:
        CxrError: it is of these weights, and train.json builds another module.
    """
    if not path.is_file():
        return None
    whole, own = read_weights(path), encoder.state_dict()
    if not all(torch.equal(whole.get(f"encoder.{key}", torch.empty(0)), value) for key, value in own.items()):
        return None
    try:
        load_weights(_build(config, (settings.get("language_model_identity") or {}).get("dim")), path)
    except CxrError as error:
        raise CxrError(
            f"{error} The pack's train.json builds another module: say what the run had of its own, as "
            "--set method#hidden_dim=512."
        ) from error
    return whole


def _build(config: Config, text_dim: int | None) -> nn.Module:
    """`method` of a config; the language model, of which it needs the width alone, is not looked for."""
    text = {"_target_": f"{SimpleNamespace.__module__}.{SimpleNamespace.__name__}", "dim": text_dim}
    parser = ConfigParser(deepcopy(config) | {"text_encoder": text, "encoder_weights": RANDOM})
    method: nn.Module = parser.get_parsed_content("method")
    return method
