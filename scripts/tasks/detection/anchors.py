"""Anchors as shares of the image, so that one network finds a nodule and a lung at any resolution."""

from __future__ import annotations

import torch
from monai.apps.detection.utils.anchor_utils import AnchorGenerator
from torch import Tensor

LEVELS = 4
RATIOS = (0.5, 1.0, 2.0)  # lungs are about twice as high as wide; the heart and effusions are wide
SCALES_A_LEVEL = 2
# Square root of an anchor's area in sides of the image. A side of 1/16 is 14 of 224 pixels, a small nodule; 0.8 holds
# the whole thorax. Natural-image anchors (32 to 813 pixels) would leave out the first and waste the second.
SMALLEST, LARGEST = 1 / 16, 0.8
ANCHORS = len(RATIOS) * SCALES_A_LEVEL


class ShareAnchors(AnchorGenerator):
    """MONAI's anchor generator with sizes that follow the image: `LEVELS * SCALES_A_LEVEL` of them, a factor of 1.44
    apart, the two smallest on the finest map.
    """

    def __init__(self) -> None:
        steps = LEVELS * SCALES_A_LEVEL - 1
        shares = [SMALLEST * (LARGEST / SMALLEST) ** (i / steps) for i in range(steps + 1)]
        self.shares = [shares[i : i + SCALES_A_LEVEL] for i in range(0, len(shares), SCALES_A_LEVEL)]
        super().__init__(sizes=self._pixels(1000.0), aspect_ratios=(RATIOS,) * LEVELS)

    def forward(self, images: Tensor, feature_maps: list[Tensor]) -> list[Tensor]:
        """Anchors `(sum(h * w * ANCHORS), 4)` of each image, in MONAI's row-first order.

        Args:
            images: `(B, C, H, W)`; only its shape is looked at.
            feature_maps: finest first, `(B, _, h, w)` each; their type and device are the anchors'.
        """
        sizes = self._pixels(float(max(images.shape[-2:])))
        self.cell_anchors = [self.generate_anchors(size, RATIOS) for size in sizes]
        anchors: list[Tensor] = super().forward(images, feature_maps)
        return anchors

    def generate_anchors(
        self,
        scales: tuple[float, ...],
        aspect_ratios: tuple[float, ...],
        dtype: torch.dtype = torch.float32,
        device: torch.device | None = None,
    ) -> Tensor:
        """As MONAI's, without rounding to whole pixels, which would bend the smallest anchors."""
        scale, root = torch.tensor(scales, dtype=dtype, device=device), torch.tensor(aspect_ratios).sqrt().to(device)
        first, second = (scale[None] / root[:, None]).flatten(), (scale[None] * root[:, None]).flatten()
        return torch.stack([-first, -second, first, second], dim=1) / 2

    def _pixels(self, side: float) -> tuple[tuple[float, ...], ...]:
        return tuple(tuple(share * side for share in level) for level in self.shares)
