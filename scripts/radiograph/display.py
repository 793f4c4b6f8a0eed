"""From stored values to what a viewer shows: modality LUT, VOI LUT or window, polarity; as one table of all values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from ..errors import UnreadableError
from .layout import Layout
from .look_up_table import look_up, table_in
from .vocabulary import LUT_SHAPES, code

CONTRADICTION = "MONOCHROME1 with Presentation LUT Shape IDENTITY"
FUNCTIONS = ("LINEAR", "LINEAR_EXACT", "SIGMOID")


@dataclass(frozen=True)
class Display:
    """The displayed value of every stored value from `first` on, and the range that a viewer spreads over its greys.

    Radiographs have at most 2^16 stored values, so the chain of DICOM PS3.3 C.11 is evaluated once for each of them,
    and an image of any size costs one look-up a pixel.
    """

    table: NDArray[np.float32]
    first: int
    low: float
    high: float

    def show(self, stored: NDArray[Any]) -> NDArray[np.float32]:
        """Displayed values, float32, of an array of stored values."""
        index = stored if self.first == 0 else stored.astype(np.int32) - self.first
        return self.table[index]


def display_of(ds: Dataset, layout: Layout) -> Display:
    """Build the table: modality LUT or rescale, then VOI LUT or the first window, then inversion, each if it is there.

    MONOCHROME1 and PresentationLUTShape INVERSE mean the same inversion, once. Colour has none of the steps.

    Raises:
        UnreadableError: for a table that is damaged, or values that are not finite.
    """
    first = -(2 ** (layout.stored - 1)) if layout.signed else 0
    last = first + 2**layout.stored - 1
    values = np.arange(first, last + 1, dtype=np.float64)
    low, high = float(first), float(last)
    with np.errstate(all="ignore"):
        if layout.samples == 1:
            values, low, high = _modality(values, low, high, ds, layout)
            values, low, high = _values_of_interest(values, low, high, ds, layout)
            if layout.photometric == "MONOCHROME1" or _shape(ds) == "INVERSE":
                values = low + high - values
        table = values.astype(np.float32)
    if not np.isfinite(table).all():
        raise UnreadableError("its rescale or window values give no finite numbers")
    return Display(table, first, low, high)


def contradicts_itself(ds: Dataset, layout: Layout) -> bool:
    """Whether MONOCHROME1 says that the picture is inverted, and Presentation LUT Shape that it is not."""
    return layout.photometric == "MONOCHROME1" and _shape(ds) == "IDENTITY"


def _shape(ds: Dataset) -> str:
    return code(ds, "PresentationLUTShape", LUT_SHAPES)


def _modality(
    values: NDArray[Any], low: float, high: float, ds: Dataset, layout: Layout
) -> tuple[NDArray[Any], float, float]:
    if (item := table_in(ds, "ModalityLUTSequence")) is not None:
        return look_up(values, low, high, item, layout.big_endian)
    slope, intercept = _first(ds, "RescaleSlope", 1.0), _first(ds, "RescaleIntercept", 0.0)
    ends = low * slope + intercept, high * slope + intercept
    return values * slope + intercept, min(ends), max(ends)


def _values_of_interest(
    values: NDArray[Any], low: float, high: float, ds: Dataset, layout: Layout
) -> tuple[NDArray[Any], float, float]:
    if (item := table_in(ds, "VOILUTSequence")) is not None:
        return look_up(np.rint(values), low, high, item, layout.big_endian)
    centre, width = _first(ds, "WindowCenter", None), _first(ds, "WindowWidth", None)
    function = code(ds, "VOILUTFunction", FUNCTIONS) or ("" if ds.get("VOILUTFunction") else "LINEAR")
    # A width that the standard forbids (mostly 0, for "none") is no window.
    if centre is None or width is None or width < (1 if function == "LINEAR" else 1e-9):
        return values, low, high
    if function == "SIGMOID":
        share = 1 / (1 + np.exp(-4 * (values - centre) / width))
    elif function:
        if function == "LINEAR":
            centre, width = centre - 0.5, width - 1
        # Width 1 is a step; the centre itself is dark.
        share = np.where(values <= centre, 0.0, 1.0) if width == 0 else np.clip((values - centre) / width + 0.5, 0, 1)
    else:
        raise UnreadableError(f"its VOI LUT function is none of {', '.join(FUNCTIONS)}")
    return share * (high - low) + low, low, high


@overload
def _first(ds: Dataset, keyword: str, default: float) -> float: ...
@overload
def _first(ds: Dataset, keyword: str, default: None) -> float | None: ...
def _first(ds: Dataset, keyword: str, default: float | None) -> float | None:
    """The first of several numbers (several windows: the first); `default` where the element is absent or empty."""
    value = ds.get(keyword)
    if not isinstance(value, (str, bytes)) and hasattr(value, "__iter__"):
        value = next(iter(value), None)
    return default if value is None or value == "" else float(value)
