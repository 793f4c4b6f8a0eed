"""Labels from what archives write in place of columns of 1 and 0."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import numpy as np
import pandas as pd


def one_hot(lists: Iterable[Collection[str] | None], names: Sequence[str], index: pd.Index) -> pd.DataFrame:
    """Columns `label_NAME` of 1 and 0 from lists of the findings of each image; an image without a list is unknown.

    Args:
        lists: of each row; blanks at the ends of a finding do not count (PadChest has them in 37 % of some).
        names: of the findings.
        index: of the rows.
    """
    found = [None if some is None else {name.strip() for name in some} for some in lists]
    columns = {f"label_{name}": [np.nan if some is None else float(name in some) for some in found] for name in names}
    return pd.DataFrame(columns, index, dtype=float)


def split_lists(cells: pd.Series, separator: str) -> list[list[str]]:
    """The findings of cells such as `Effusion|Mass`, without blanks and empty ones; an empty cell has none."""
    return [
        [name.strip() for name in cell.split(separator) if name.strip()] if isinstance(cell, str) else []
        for cell in cells
    ]


def no_negatives(labels: pd.DataFrame) -> list[str]:
    """A note for findings that some images have and no image lacks: nothing can be trained or scored on them as they
    are, see `--unknown`.
    """
    lacking = [name for name in labels if (labels[name] == 1).any() and not (labels[name] == 0).any()]
    alone = ", ".join(str(name).removeprefix("label_") for name in lacking)
    return [f"no image is known to be without {alone}: a blank is 'not mentioned'"] if alone else []
