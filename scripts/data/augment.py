"""Training augmentation of a radiograph: one affine warp and one intensity change."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import cv2
import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform, RandomizableTransform


class RandRadiographd(MapTransform, RandomizableTransform):
    """Rotation, zoom, shift, gamma and contrast of `(1, H, W)` images in [0, 1], in one interpolation.

    Flips are left out on purpose: reports name sides, and the heart has one. The authors' rotation by 0 to 90 degrees
    is left out as well (no radiograph is read lying down). One `cv2.warpAffine` costs a tenth of MONAI's affine
    transforms.

    Args:
        keys: images to change.
        prob: chance that a sample is changed at all.
        rotate: largest rotation in degrees, either way.
        zoom: smallest and largest magnification.
        shift: largest shift as a share of the image's side, either way.
        gamma: smallest and largest exponent, drawn evenly in its logarithm.
        contrast: largest relative change of contrast about the mean grey.
    """

    def __init__(
        self,
        keys: KeysCollection,
        prob: float = 1.0,
        rotate: float = 10.0,
        zoom: tuple[float, float] = (0.95, 1.3),
        shift: float = 0.06,
        gamma: tuple[float, float] = (0.75, 1.33),
        contrast: float = 0.2,
        allow_missing_keys: bool = False,
    ) -> None:
        MapTransform.__init__(self, keys, allow_missing_keys)
        RandomizableTransform.__init__(self, prob)
        self.rotate, self.shift, self.contrast = rotate, shift, contrast
        self.zoom, self.gamma = (min(zoom), max(zoom)), (min(gamma), max(gamma))

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """A changed copy of the item; each key's image becomes a plain float32 tensor of the same shape."""
        item = dict(data)
        self.randomize(None)
        if not self._do_transform:
            return item
        angle, dy, dx = self.R.uniform(-1, 1, 3) * (self.rotate, self.shift, self.shift)
        zoom = self.R.uniform(*self.zoom)
        gamma = np.exp(self.R.uniform(*np.log(self.gamma)))
        contrast = 1 + self.R.uniform(-self.contrast, self.contrast)
        for key in self.key_iterator(item):
            image = np.asarray(item[key], dtype=np.float32)[0]
            height, width = image.shape
            matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle, zoom)
            matrix[:, 2] += (dx * width, dy * height)
            warped = cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR)
            changed = np.power(np.clip(warped, 0, 1), gamma)
            mean = changed.mean()
            item[key] = torch.from_numpy(np.clip((changed - mean) * contrast + mean, 0, 1)[None].astype(np.float32))
        return item
