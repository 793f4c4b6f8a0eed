"""Which masks the validation images cannot score."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ...engine.validation import CheckValidation
from ...errors import CxrError, SettingError

Load = Sequence[Callable[[Mapping[str, Any]], Mapping[str, Any]]]


class CheckMasks(CheckValidation):
    """A mask needs an image where it is not empty; see `CheckValidation`.

    Args:
        load: transforms that read the masks of an item.
        settings: the others are those of `CheckValidation`.
    """

    need_a_finding: ClassVar[tuple[str, ...]] = ("dice_positives", "dice_set")

    def __init__(self, *args: Any, load: Load, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.load = load

    def lacks(self, items: Sequence[Mapping[str, Any]]) -> list[str]:
        filled = filled_masks(items, len(self.names), self.load)
        return ["" if there else "no mask that is not empty" for there in filled]


def filled_masks(items: Iterable[Mapping[str, Any]], count: int, load: Load) -> list[bool]:
    """Whether each of `count` masks is filled in any item; they are read until each has been, and no further.

    Args:
        items: `label` = references to masks, as `segmentation_items` makes them.
        count: of the references.
        load: transforms that read them.
    """
    found = [False] * count
    for item in items:
        if all(found):
            break
        label = item["label"]
        references = [label] if isinstance(label, (str, Path)) else label
        if not any(reference and not there for reference, there in zip(references, found, strict=True)):
            continue
        try:
            for transform in load:
                item = transform(item)
        except SettingError:
            raise
        except CxrError:
            continue  # what cannot be read is told of where it is read to be learned from or scored
        found = [one or bool((np.asarray(mask) > 0).any()) for one, mask in zip(found, item["label"], strict=True)]
    return found
