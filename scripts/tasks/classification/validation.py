"""Which findings the validation images cannot score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from ...engine.validation import CheckValidation
from ...metrics.binary import lacking


class CheckLabels(CheckValidation):
    """A finding needs both kinds of image; see `CheckValidation`."""

    need_a_finding: ClassVar[tuple[str, ...]] = ("auroc", "auprc")

    def lacks(self, items: Sequence[Mapping[str, Any]]) -> list[str]:
        labels = np.stack([np.asarray(item["label"], dtype=np.float64) for item in items])
        return [lacking(np.where(column < 0, np.nan, column)) for column in labels.T]
