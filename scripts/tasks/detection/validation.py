"""Which boxes the validation images cannot score."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from ...engine.validation import CheckValidation


class CheckBoxes(CheckValidation):
    """A class needs a box; see `CheckValidation`."""

    need_a_finding: ClassVar[tuple[str, ...]] = ("map_", "ap50", "sensitivity")

    def lacks(self, items: Sequence[Mapping[str, Any]]) -> list[str]:
        images = images_with_box([item["label"] for item in items], len(self.names))
        return ["" if count else "no box" for count in images]


def images_with_box(labels: Iterable[ArrayLike], classes: int) -> list[int]:
    """In how many images each class has a box, from the classes of each image's boxes."""
    images = np.zeros(classes, dtype=int)
    for found in labels:
        images[np.unique(np.asarray(found, dtype=int))] += 1
    return [int(count) for count in images]
