"""Reading weights: plain tensors only, and never a key that is silently left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine, Events
from torch.nn.parallel import DistributedDataParallel

from ..errors import CxrError
from ..tensor_files import read_tensors
from .card import check_card
from .normalization import adopt_normalization

# Weights that are not loaded. A word as well as None: MONAI's command line passes over an override that is None.
RANDOM = "random"


def read_file(path: str | Path) -> Any:
    """Content of a file of weights, on the CPU; see `read_tensors`.

    Raises:
        CxrError: there is no such file, or it is none of plain tensors.
    """
    path = Path(path)
    if not path.is_file():
        raise CxrError(f"No weights at {path}. Train first, or give the path of a state dict.")
    return read_tensors(path, "Copy or download it again, or give another file of weights.")


def read_weights(path: str | Path) -> dict[str, torch.Tensor]:
    """State dict of a `.pt`/`.pth` file or a `.safetensors` file, on the CPU.

    Raises:
        CxrError: see `read_file`; or it is not a state dict.
    """
    values = read_file(path)
    if not isinstance(values, Mapping) or not all(isinstance(value, torch.Tensor) for value in values.values()):
        keys = ", ".join(map(str, list(values)[:5])) if isinstance(values, Mapping) else type(values).__name__
        raise CxrError(f"{path} is not a raw state dict (it holds {keys}). Save the network's state_dict() alone.")
    return dict(values)


def load_weights(
    network: torch.nn.Module, path: str | Path, prefix: str = "", ignore: Sequence[str] = ()
) -> torch.nn.Module:
    """Loads a state dict strictly: every key of the network is in the file with the same shape, and the other way
    round.

    Args:
        network: is changed in place, and returned.
        path: `.pt`, `.pth` or `.safetensors`.
        prefix: of the file's keys that are meant; it is cut off, and keys without it are passed over.
        ignore: beginnings of keys of the file that the network need not have (a classification head, `fc.`).

    Raises:
        CxrError: listing the missing, unexpected and mismatched keys.
    """
    weights = {key.removeprefix(prefix): value for key, value in read_weights(path).items() if key.startswith(prefix)}
    weights = {key: value for key, value in weights.items() if not key.startswith(tuple(ignore))}
    adopt_normalization(network, weights)
    if found := differences({key: value.shape for key, value in network.state_dict().items()}, weights):
        raise CxrError(f"{path} does not fit this network: {found}. Is `encoder` the one it was trained with?")
    network.load_state_dict(weights, strict=False)
    return network


def differences(own: Mapping[str, torch.Size], weights: Mapping[str, torch.Tensor]) -> str:
    """What keeps weights from being those of a network with these shapes, key by key; "" when nothing does."""
    # Files of torch before 0.4.1, the torchvision ones among them, lack batch norm's counter of batches.
    missing = [key for key in own if key not in weights and not key.endswith("num_batches_tracked")]
    unexpected = [key for key in weights if key not in own]
    mismatched = [
        f"{key} {tuple(weights[key].shape)} for {tuple(own[key])}"
        for key in weights
        if key in own and weights[key].shape != own[key]
    ]
    problems = {"missing": missing, "unexpected": unexpected, "of another shape": mismatched}
    return "; ".join(
        f"{len(keys)} {name} ({', '.join(keys[:3])}{', …' if len(keys) > 3 else ''})"
        for name, keys in problems.items()
        if keys
    )


class LoadWeights:
    """Handler that loads weights when an engine starts; strict, unlike MONAI's CheckpointLoader and `load()`.

    Args:
        network, path: see `load_weights`.
        settings: of this run, to be compared with those that the weights were trained with; see `check_card`.
    """

    def __init__(self, network: torch.nn.Module, path: str | Path, settings: Mapping[str, Any] | None = None) -> None:
        self.network, self.path, self.settings = network, path, dict(settings or {})

    def attach(self, engine: Engine) -> None:
        """Registers on any engine."""
        engine.add_event_handler(Events.STARTED, self.load)

    def load(self, engine: Engine | None = None) -> None:
        """Compares, and loads."""
        check_card(self.path, self.settings)
        network = self.network
        # What several ranks evaluate with is wrapped; the file is not.
        load_weights(network.module if isinstance(network, DistributedDataParallel) else network, self.path)
