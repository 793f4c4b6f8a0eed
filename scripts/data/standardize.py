"""The standard image as a MONAI transform, for whatever LoadImaged has read."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform
from numpy.typing import NDArray

from ..errors import SettingError
from ..radiograph.letterbox import Letterbox
from ..radiograph.standard_image import PERCENTILES, Quantize, standardize


class StandardizeRadiographd(MapTransform):
    """Loaded image of any source to the standard image `(1, S, S)`, float32 in [0, 1].

    Takes what LoadImaged + EnsureChannelFirstd give for DICOM, PNG, JPEG and stored images, and what MONAI Deploy gives
    in their place: a volume of depth one, `(W, H, 1)` or `(1, W, H, 1)`. A stored image (or the transform's own output)
    is recognised by its meta dict and only divided by its maximum, so the raw road and the store give the same bits.

    What the original was goes into the meta (`original_size`, rows and columns; `spacing`, their distances in mm, NaN
    unknown; the reader's `itk_affine`, NaN unknown), and of the first image into the item, as `height`, `width`,
    `spacing` and `itk_affine` where it has none of its own: a prediction finds back to the original pixels by them
    after the meta is dropped.

    Args:
        keys: keys of the images.
        size: side S.
        quantize: round as a store of this type does; None keeps every grey level.
        percentiles: see `scripts.radiograph.standardize`.
        allow_missing_keys: see MapTransform.
    """

    def __init__(
        self,
        keys: KeysCollection,
        size: int,
        quantize: Quantize | None = "uint8",
        percentiles: Sequence[float] = PERCENTILES,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.size = size
        self.quantize = quantize
        self.percentiles = (float(percentiles[0]), float(percentiles[1]))

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        result = dict(data)
        for key in self.key_iterator(result):
            result[key] = self._one(result[key])
        if self.keys[0] in result:
            result |= _facts(result, result[self.keys[0]].meta)
        return result

    def _one(self, image: torch.Tensor | NDArray[Any]) -> MetaTensor:
        meta = dict(image.meta) if isinstance(image, MetaTensor) else {}
        array = image.numpy() if isinstance(image, torch.Tensor) else np.asarray(image)
        if meta.get("standardized"):
            return self._stored(array, meta)
        if array.ndim in (3, 4) and array.shape[-1] == 1:
            array = np.swapaxes(array[..., 0], -1, -2)
        pixels = standardize(array, self.size, self.quantize, self.percentiles, meta.get("padding", float("nan")))
        maximum = 1.0 if self.quantize is None else float(np.iinfo(self.quantize).max)
        affine = np.asarray(meta.get("affine", np.eye(4)), dtype=np.float64) @ _to_image(array.shape[-2:], self.size)
        meta |= {"standardized": True, "maximum": 1.0, "spatial_shape": np.array(pixels.shape), "affine": affine}
        # The reader's own: the array may come from a reduced decode.
        meta["original_size"] = np.array([meta.get("height", array.shape[-2]), meta.get("width", array.shape[-1])])
        meta["spacing"] = np.array([meta.get(f"spacing_{axis}", np.nan) for axis in "yx"], np.float32)
        meta["itk_affine"] = np.array(meta.get("itk_affine", np.full((4, 4), np.nan)), np.float32)
        return _meta_tensor(pixels, maximum, meta)

    def _stored(self, array: NDArray[Any], meta: dict[str, Any]) -> MetaTensor:
        if array.shape[-2:] != (self.size, self.size):
            where = meta.get("filename_or_obj", "a stored image")
            raise SettingError(
                f"{where} was stored with {array.shape[-1]} pixels a side, but the config asks for {self.size}: "
                f"set image_size to {array.shape[-1]}, or run prepare again with --size {self.size}"
            )
        maximum = float(meta["maximum"])
        return _meta_tensor(array.reshape(self.size, self.size), maximum, {**meta, "maximum": 1.0})


def _facts(item: Mapping[Hashable, Any], meta: Mapping[str, Any]) -> dict[Hashable, Any]:
    """Size and place of the original that the meta knows and the item does not."""
    facts: dict[Hashable, Any] = {}
    if "original_size" not in meta:
        return facts
    if not (item.get("height") and item.get("width")):
        facts |= dict(zip(("height", "width"), map(int, meta["original_size"]), strict=True))
    for key in ("spacing", "itk_affine"):
        known = item.get(key)
        if known is None or not np.isfinite(np.asarray(known, dtype=float)).all():
            facts[key] = np.asarray(meta[key], np.float32)
    return facts


def _to_image(shape: tuple[int, ...], size: int) -> NDArray[np.float64]:
    """4 x 4 map from array indices (row, column) of the square to those of the `shape` image that it was made of."""
    x0, y0, x1, y1 = Letterbox(shape[0], shape[1], size).content
    step = np.array([shape[0] / (y1 - y0), shape[1] / (x1 - x0)])
    matrix = np.diag([*step, 1.0, 1.0])
    # Indices count pixel centres, hence the halves.
    matrix[:2, 3] = (0.5 - np.array([y0, x0])) * step - 0.5
    return matrix


def _meta_tensor(pixels: NDArray[Any], maximum: float, meta: dict[str, Any]) -> MetaTensor:
    affine = torch.as_tensor(meta.pop("affine", np.eye(4)), dtype=torch.float64)
    image = torch.from_numpy(pixels.astype(np.float32) / np.float32(maximum))[None]
    return MetaTensor(image, affine=affine, meta=meta)
