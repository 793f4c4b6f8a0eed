"""From a task network's logits to probabilities: as a function, and as a transform for programs that host a bundle."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Literal

import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform
from torch import Tensor

from ..errors import CxrError

Mode = Literal["multilabel", "multiclass"]


def probabilities(
    logits: Tensor, mode: Mode = "multilabel", temperature: float | Sequence[float] = 1.0, dim: int = 0
) -> Tensor:
    """Sigmoid (each output for itself) or softmax (outputs exclude each other) of logits divided by a temperature.

    Temperature scaling: Guo et al., On Calibration of Modern Neural Networks, ICML 2017, eq. 9.

    Args:
        logits: of any shape, with the names along `dim`.
        mode: "multilabel" or "multiclass".
        temperature: one number, or with "multilabel" one a name.
        dim: dimension of the names.

    Returns:
        float32 of the same shape.

    Raises:
        CxrError: an unknown mode, a temperature that is not above 0, or as many as do not fit the names.
    """
    if mode not in ("multilabel", "multiclass"):
        raise CxrError(f"mode must be multilabel or multiclass, not {mode!r}.")
    scale = torch.as_tensor(temperature, dtype=torch.float32)
    if not bool((scale > 0).all()):
        raise CxrError(f"temperature must be above 0, not {temperature}.")
    if scale.ndim:
        if mode == "multiclass" or len(scale) != logits.shape[dim]:
            raise CxrError(
                f"{len(scale)} temperatures for {logits.shape[dim]} names ({mode}): give one number"
                + ("." if mode == "multiclass" else ", or one a name.")
            )
        shape = [1] * logits.ndim
        shape[dim] = -1
        scale = scale.reshape(shape)
    scaled = logits.float() / scale.to(logits.device)
    return scaled.sigmoid() if mode == "multilabel" else scaled.softmax(dim)


class Probabilitiesd(MapTransform):
    """Logits of one image, `(C,)` or `(K, S, S)`, to probabilities of the same shape; the meta of a MetaTensor stays.

    For `postprocessing`, after decollation. A writer that follows it takes `logits=False`.

    Args:
        keys: keys of the network's outputs, usually "pred".
        mode, temperature: see `probabilities`.
        allow_missing_keys: see MapTransform.
    """

    def __init__(
        self,
        keys: KeysCollection,
        mode: Mode = "multilabel",
        temperature: float | Sequence[float] = 1.0,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.mode: Mode = mode
        self.temperature = temperature

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        result = dict(data)
        for key in self.key_iterator(result):
            result[key] = probabilities(result[key], self.mode, self.temperature)
        return result
