"""From a batch of items to what the engines hand to the network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from monai.engines import PrepareBatch

from ..text.key import text_key
from ..text.store import TextStore


class PrepareImageReport(PrepareBatch):
    """Images, the frozen language model's embeddings of their reports, and who is whose as the target.

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
        """Image `(B, C, H, W)`, identities as the target (`pair_identities`), and text `(B, D)` as the network's second
        argument.
        """
        text = torch.from_numpy(self.text_store.lookup(batchdata["report"]))
        # A host's own items (MONAI Label) have no ids: then only the report tells who shares something.
        patients, studies = (batchdata.get(key, batchdata["report"]) for key in ("patient_id", "study_id"))
        target = pair_identities(batchdata["report"], patients, studies)
        image = batchdata["image"].to(device=device, non_blocking=non_blocking, **kwargs)
        text = text.to(device=device, non_blocking=non_blocking, **kwargs)
        return image, target.to(device=device, non_blocking=non_blocking), (text,), {}


def pair_identities(reports: Sequence[str], patients: Sequence[str], studies: Sequence[str]) -> torch.Tensor:
    """`(B, 2)` int64 hashes of each pair's report and of its study: equal where these are equal.

    Args:
        reports: texts.
        patients, studies: ids; a study's number may come again in another patient.
    """
    rows = zip(reports, patients, studies, strict=True)
    # The length in front: no two (patient, study) run into one text.
    return torch.tensor([[_hash(report), _hash(f"{len(p)} {p} {s}")] for report, p, s in rows])


def _hash(text: str) -> int:
    """64 bits of the text's key: two of a million texts share them in one of 37 million cases."""
    return int.from_bytes(bytes.fromhex(text_key(text)[:16]), signed=True)


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
