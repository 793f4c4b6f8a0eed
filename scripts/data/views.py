"""Views of a table's rows, and which of them a run keeps."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from ..errors import CxrError
from ..radiograph.views import OTHER, UNKNOWN, VIEWS, WIDER, normalize_view


def normalize_views(column: pd.Series) -> pd.Series:
    """`normalize_view` of each cell; each distinct text is looked at once."""
    return column.map({value: normalize_view(value) for value in column.unique()}).fillna(UNKNOWN)


def select_views(views: pd.Series, wanted: Iterable[str]) -> pd.Series:
    """Mask of the rows whose normalised view is wanted: "frontal" is PA, AP (lying, too) and a frontal that says no
    more; "AP" is a lying one, too.

    Raises:
        CxrError: for a word that names no view.
    """
    kept: set[str] = set()
    for word in wanted:
        name = normalize_view(word)
        if name in (OTHER, UNKNOWN) and word.strip().lower() != name:
            raise CxrError(f"view={word}: no such view; the views are {', '.join(VIEWS)}.")
        kept |= {name} | WIDER.get(name, set())
    return views.isin(kept)
