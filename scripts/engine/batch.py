"""From a batch of items to what the engines hand to the network."""

from __future__ import annotations

from typing import Any

import torch
from monai.engines import PrepareBatch

from scripts.text import TextStore


class PrepareImageReport(PrepareBatch):
    """Images and the frozen language model's embeddings of their reports.

    The text is looked up here, in the main process, so that loader workers never hold a language model.

    Args:
        text_store: gives the embedding of each report; a missing one is computed on the spot.
    """

    def __init__(self, text_store: TextStore) -> None:
        self.text_store = text_store

    def __call__(
        self,
        batchdata: dict[str, Any],
        device: str | torch.device | None = None,
        non_blocking: bool = False,
        **kwargs: Any,
    ) -> tuple[torch.Tensor, torch.Tensor, tuple[torch.Tensor], dict[str, Any]]:
        """Image `(B, C, H, W)`, text `(B, D)` as the target, and text once more as the network's second argument."""
        text = torch.from_numpy(self.text_store.lookup(batchdata["report"]))
        image = batchdata["image"].to(device=device, non_blocking=non_blocking, **kwargs)
        text = text.to(device=device, non_blocking=non_blocking, **kwargs)
        return image, text, (text,), {}


class PrepareImage(PrepareBatch):
    """Images alone, for networks that look at nothing else; labels and identifiers stay in `engine.state.batch`."""

    def __call__(
        self,
        batchdata: dict[str, Any],
        device: str | torch.device | None = None,
        non_blocking: bool = False,
        **kwargs: Any,
    ) -> tuple[torch.Tensor, None]:
        """Image `(B, C, H, W)` and no target."""
        return batchdata["image"].to(device=device, non_blocking=non_blocking, **kwargs), None
