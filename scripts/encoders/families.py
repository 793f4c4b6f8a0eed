"""Published CNNs of chest X-rays that were trained with another normalisation than the workflows': known by the names
and shapes in their files.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from torch import Tensor

from .normalization import Normalization

Tensors = Mapping[str, Tensor]


class Family(NamedTuple):
    """Weights of one origin.

    Attributes:
        name: for people.
        prefix: of the encoder's names in a file, as a regular expression behind whatever else comes first.
        beside: whether the file's other tensors are that origin's, given the file and its prefix.
        mean, std: of an image from 0 to 1, in the code of the origin.
    """

    name: str
    prefix: str
    beside: Callable[[Tensors, str], bool]
    mean: tuple[float, ...]
    std: tuple[float, ...]


def _has(pattern: str) -> Callable[[Tensors, str], bool]:
    return lambda tensors, _: any(re.search(pattern, key) for key in tensors)


def _one_channel_and_18_findings(tensors: Tensors, prefix: str) -> bool:
    """torchxrayvision 1.5: `models.DenseNet` and the network inside `models.ResNet`, which end in 18 findings."""
    first = (tensors.get(prefix + name) for name in ("features.conv0.weight", "conv1.weight"))
    last = (tensors.get(prefix + name) for name in ("classifier.weight", "fc.weight"))
    grey = any(one is not None and one.ndim == 4 and one.shape[1] == 1 for one in first)
    return grey and any(one is not None and len(one) == 18 for one in last)


def _thousand_classes(tensors: Tensors, prefix: str) -> bool:
    """torchvision's (and timm's) networks of ImageNet."""
    first = (tensors.get(prefix + name) for name in ("features.conv0.weight", "conv1.weight"))
    last = (tensors.get(prefix + name) for name in ("classifier.weight", "fc.weight"))
    colours = any(one is not None and one.ndim == 4 and one.shape[1] == 3 for one in first)
    return colours and any(one is not None and len(one) == 1000 for one in last)


def _queue_of_24576(tensors: Tensors, _: str) -> bool:
    """MoCo-CXR's default; MoCo's own is 65,536 and of ImageNet, others' of anything."""
    return any(key.rpartition(".")[2] == "queue" and value.shape[-1] == 24_576 for key, value in tensors.items())


_HALF = (0.5,), (0.5,)
_COLOURS = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, red, green, blue
FAMILIES = (
    # `utils.normalize`: (2 * image - 1) * 1024.
    Family("torchxrayvision", "", _one_channel_and_18_findings, (0.5,), (1 / 2048,)),
    # hi-ml-multimodal, `create_chest_xray_transform_for_inference`: ToTensor, and nothing behind it.
    Family("BioViL", r"encoder\.encoder\.", _has(r"^projector\.model\."), (0.0,), (1.0,)),
    # mgca/datasets/transforms.py; ConVIRT in the same code.
    Family("MGCA", r"img_encoder_q\.model\.", lambda *_: True, *_HALF),
    # gloria/builder.py with `norm: half` of its configs.
    Family("GLoRIA", r"gloria\.img_encoder\.model\.", lambda *_: True, *_HALF),
    # utils/utils_dataset.py; the file of its encoder alone is named as torchvision's and cannot be told.
    Family("M-FLAG", r"encoder\.", _has(r"(^|\.)proj_v\."), *_HALF),
    # dataset/dataset.py of both.
    Family("MedKLIP and KAD", r"res_features\.", lambda *_: True, *_COLOURS),
    # moco/aihc_utils/image_transform.py.
    Family("MoCo-CXR", r"encoder_q\.", _queue_of_24576, (0.502,), (0.085585,)),
    # transforms.Normalize of its weights' `transforms()`.
    Family("torchvision", "", _thousand_classes, *_COLOURS),
)


def known_normalization(tensors: Tensors, prefix: str) -> Normalization | None:
    """What the encoder under a prefix of a file's tensors was trained with, where its origin is known.

    Args:
        tensors: under the names that they have in the file.
        prefix: of the encoder.
    """
    for family in FAMILIES:
        if re.fullmatch(rf"(.*\.)?{family.prefix}", prefix) and family.beside(tensors, prefix):
            return Normalization(family.mean, family.std, family.name)
    return None
