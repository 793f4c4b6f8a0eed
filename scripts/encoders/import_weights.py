"""Weights that other projects published: the encoder inside them is found by its own names and shapes."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from ..errors import CxrError
from .densenet import monai_name
from .families import known_normalization
from .normalization import (
    Normalization,
    NormalizedConv2d,
    adopt_normalization,
    first_convolution,
    image_statistics,
    normalize_images,
    read_normalization,
)
from .weights import differences, read_file

logger = logging.getLogger(__name__)

_COUNTER = "num_batches_tracked"  # batch norm's counter of batches, which files of torch before 0.4.1 lack
# Of a first convolution (`NormalizedConv2d`); files of other projects have none.
_STATISTICS = ("conv1.scale", "conv1.shift", "conv0.scale", "conv0.shift")
# Slow copies of a trained encoder, as ALBEF (`_m`), MoCo (`_k`), BYOL (`target`) and DINO (`teacher`) name them.
_MOMENTUM = re.compile(r"(.*_)?(k|m|ema|momentum|target|teacher)")
# A ResNet within `nn.Sequential(*children)`, as MedKLIP and KAD keep theirs.
_IN_SEQUENCE = {"conv1": "0", "bn1": "1", "layer1": "4", "layer2": "5", "layer3": "6", "layer4": "7"}


@dataclass(frozen=True)
class ImportReport:
    """What an import took.

    Attributes:
        matched: tensors of the file that the encoder took.
        of: tensors of the encoder, but for batch norm's counters of batches.
        prefix: of the encoder's names within the file.
        normalization: what the encoder normalises its images by since, where the file or its origin tells: of this
            project's own files their own, of a known family (`scripts.encoders.families`) its code's; else None.
        left_out: part of the file to the number of its tensors; parts beside the encoder by their whole name, parts of
            the encoder's own module (`fc`) without the prefix.
    """

    matched: int
    of: int
    prefix: str
    left_out: dict[str, int]
    normalization: Normalization | None = None

    def __str__(self) -> str:
        parts = ", ".join(f"{name} {count}" for name, count in self.left_out.items())
        return f"{self.matched} of {self.of} tensors under prefix '{self.prefix}'; left out: {parts or 'nothing'}"


def import_weights(body: nn.Module, path: str | Path) -> ImportReport:
    """Loads an encoder out of any file that holds it, in place.

    The file may be a state dict or a training checkpoint with one inside (`state_dict`, `model`, …); the encoder's
    names may have any prefix there (`module.`, `encoder.encoder.` in BioViL, `img_encoder_q.model.` in MGCA,
    `gloria.img_encoder.model.` in GLoRIA), which is found by comparing names and shapes; of several that fit, one of a
    trained encoder comes before a momentum copy. Torchvision's names of a DenseNet count as MONAI's. Classifiers,
    projections and text encoders beside it are left out, and told in the log. A CNN takes over the mean and deviation
    that the weights were trained with, where they are known (`ImportReport.normalization`).

    Args:
        body: of a `FeatureEncoder`.
        path: `.pt`, `.pth`, `.ckpt`, `.bin` or `.safetensors`, of plain tensors.

    Raises:
        CxrError: there is no such file or it holds more than plain tensors; or not every tensor of the encoder is in
            it with its shape, or the file's encoder has more than this one: with the keys and the nearest prefix.
    """
    own = _shapes(body)
    needed = {key: shape for key, shape in own.items() if not key.endswith((_COUNTER, *_STATISTICS))}
    raw = dict(_flat(read_file(path)))
    found = {monai_name(key): value for key, value in raw.items()}
    near = _nearest(found, needed)
    if "layer1.0.conv1.weight" in own:
        in_words = {_in_words(key): value for key, value in found.items()}
        if (other := _nearest(in_words, needed)).names > near.names:
            found, near = in_words, other
    if not near.names:
        raise CxrError(
            f"{path} does not fit this network: none of its {len(found)} tensors is named like the encoder's "
            f"({', '.join(sorted(needed)[:2])}, …). It has {_told(_groups(found, '')) or 'no tensors'}."
        )
    prefix, parts = near.prefix, {key.partition(".")[0] for key in own}
    inside = {key.removeprefix(prefix): value for key, value in found.items() if key.startswith(prefix)}
    weights = {key: value for key, value in inside.items() if key.partition(".")[0] in parts}
    adopt_normalization(body, weights)
    own = {key: shape for key, shape in _shapes(body).items() if key in weights or not key.endswith(_STATISTICS)}
    if wrong := differences(own, weights):
        raise CxrError(
            f"{path} does not fit this network: {wrong}; it has {near.shapes} of {len(needed)} tensors, under prefix "
            f"'{prefix}'. Is `encoder` the one it was trained with?"
        )
    body.load_state_dict(weights, strict=False)
    rest = {key: value for key, value in found.items() if key.removeprefix(prefix) not in weights}
    normalization = _normalization(body, raw, prefix)
    report = ImportReport(len(needed), len(needed), prefix, _groups(rest, prefix), normalization)
    logger.info("%s: %s.", Path(path).name, report)
    return report


def has_adaptor(path: str | Path) -> bool:
    """Whether a file of weights is of an encoder with an adaptor, of which `inner` is only the frozen part."""
    return any("adaptor" in key.split(".") for key, _ in _flat(read_file(path)))


def _normalization(body: nn.Module, raw: Mapping[str, torch.Tensor], prefix: str) -> Normalization | None:
    """What a file tells of the images that its encoder wants; of a family, the body's first convolution is told too."""
    first, beside = (
        first_convolution(body),
        [raw.get(prefix.removesuffix("body.") + name) for name in ("scale", "shift")],
    )
    if first is None:
        scale, shift = beside
        return None if scale is None or shift is None else read_normalization(scale, shift)
    if isinstance(first, NormalizedConv2d):  # by the file, or by the options that the body was built with
        return image_statistics(body)
    if (known := known_normalization(raw, prefix)) is not None:
        normalize_images(body, known)
    return known


def _shapes(body: nn.Module) -> dict[str, torch.Size]:
    return {key: value.shape for key, value in body.state_dict().items()}


def _flat(values: Any, name: str = "") -> Iterator[tuple[str, torch.Tensor]]:
    """The tensors of a file under their whole names, those of the mappings that they lie in before them."""
    if isinstance(values, torch.Tensor):
        yield name, values
    elif isinstance(values, Mapping):
        for key, value in values.items():
            yield from _flat(value, f"{name}.{key}" if name else str(key))


def _in_words(key: str) -> str:
    """A key with every number of `_IN_SEQUENCE` at the level above a ResNet's own names as the name it stands for."""
    names = {number: name for name, number in _IN_SEQUENCE.items()}
    pattern = r"^(.*?\.)??([014567])\.(weight|bias|running_\w+|num_batches_tracked|\d+\.(?:conv|bn|downsample).*)$"
    match = re.match(pattern, key)
    return f"{match[1] or ''}{names[match[2]]}.{match[3]}" if match else key


class _Fit(NamedTuple):
    """How well the encoder's names stand under a prefix; the larger the better."""

    names: int
    shapes: int
    trained: bool
    short: int
    prefix: str


def _nearest(found: Mapping[str, torch.Tensor], needed: Mapping[str, torch.Size]) -> _Fit:
    """The prefix under which most of the encoder's names are; of several, as `import_weights` says."""
    names: Counter[str] = Counter()
    shapes: Counter[str] = Counter()
    for key, value in found.items():
        parts = key.split(".")
        for start in range(len(parts)):
            own = ".".join(parts[start:])
            if own in needed:
                prefix = key.removesuffix(own)
                names[prefix] += 1
                shapes[prefix] += value.shape == needed[own]
    fits = [_Fit(names[it], shapes[it], not any(map(_MOMENTUM.fullmatch, it.split("."))), -len(it), it) for it in names]
    return max(fits, default=_Fit(0, 0, False, 0, ""))


def _groups(keys: Mapping[str, Any], prefix: str) -> dict[str, int]:
    """Numbers of the keys by the part of the file that they belong to: down to where they leave the prefix."""
    above = prefix.split(".")[:-1]
    counts: Counter[str] = Counter()
    for key in keys:
        parts = key.split(".")
        shared = next((i for i, part in enumerate(above) if parts[i : i + 1] != [part]), len(above))
        counts[parts[shared] if shared == len(above) else ".".join(parts[: shared + 1])] += 1
    return dict(counts)


def _told(groups: Mapping[str, int]) -> str:
    shown = [f"{name} {count}" for name, count in groups.items()]
    return ", ".join(shown[:5]) + (", …" if len(shown) > 5 else "")
