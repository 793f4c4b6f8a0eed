"""From a batch of items with boxes to what the engines hand to the detector."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from monai.engines import PrepareBatch

from ...errors import CxrError

Target = dict[str, torch.Tensor]


class PrepareBoxes(PrepareBatch):
    """Images in one tensor, boxes as a list: images have different numbers of them, none included.

    The loader's `collate_fn` is `monai.data.utils.no_collation`, so a batch is the list of its items.

    Args:
        box_key: of an item's `(n, 4)` boxes, xyxy in pixels of its image.
        label_key: of its `(n,)` labels.
    """

    def __init__(self, box_key: str = "box", label_key: str = "label") -> None:
        self.box_key, self.label_key = box_key, label_key

    def __call__(
        self,
        batchdata: Sequence[dict[str, Any]] | dict[str, Any],
        device: str | torch.device | None = None,
        non_blocking: bool = False,
        **kwargs: Any,
    ) -> tuple[torch.Tensor, list[Target] | None]:
        """Images `(B, C, H, W)` and a target `{"box", "label"}` an image; None when an item has no boxes to learn from.

        Raises:
            CxrError: the batch was collated.
        """
        if isinstance(batchdata, dict):
            raise CxrError("Boxes cannot be collated: give the loader collate_fn = $monai.data.utils.no_collation.")
        # Plain tensors: meta data of a whole batch would be merged, and nobody reads it behind the network.
        images = torch.stack([torch.as_tensor(item["image"]).as_subclass(torch.Tensor) for item in batchdata])
        images = images.to(device=device, non_blocking=non_blocking, **kwargs)
        if any(item.get(self.box_key) is None for item in batchdata):
            return images, None
        return images, [
            {
                "box": torch.as_tensor(item[self.box_key]).reshape(-1, 4).float().to(device, non_blocking=non_blocking),
                "label": torch.as_tensor(item[self.label_key]).reshape(-1).long().to(device, non_blocking=non_blocking),
            }
            for item in batchdata
        ]
