"""From stored values to what a viewer shows: modality LUT, VOI LUT or window, polarity; as one table of all values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset


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


def display_of(ds: Dataset, bits_stored: int, signed: bool, photometric: str) -> Display:
    """Build the table: modality LUT or rescale, then VOI LUT or the first window, then inversion, each if it is there.

    MONOCHROME1 and PresentationLUTShape INVERSE mean the same inversion, once. Colour has none of the steps.

    Raises:
        ValueError: for a table that is damaged, or values that are not finite.
    """
    first = -(2 ** (bits_stored - 1)) if signed else 0
    last = first + 2**bits_stored - 1
    values = np.arange(first, last + 1, dtype=np.float64)
    low, high = float(first), float(last)
    with np.errstate(all="ignore"):
        if photometric.startswith("MONOCHROME"):
            values, low, high = _modality(values, low, high, ds)
            values, low, high = _values_of_interest(values, low, high, ds)
            shape = str(ds.get("PresentationLUTShape") or "").strip().upper()
            if photometric == "MONOCHROME1" or shape == "INVERSE":
                values = low + high - values
        table = values.astype(np.float32)
    if not np.isfinite(table).all():
        raise ValueError("its rescale or window values give no finite numbers")
    return Display(table, first, low, high)


def _modality(values: NDArray[Any], low: float, high: float, ds: Dataset) -> tuple[NDArray[Any], float, float]:
    if ds.get("ModalityLUTSequence"):
        return _look_up(values, ds.ModalityLUTSequence[0], ds)
    slope, intercept = (
        _first(ds.get(name), default) for name, default in (("RescaleSlope", 1), ("RescaleIntercept", 0))
    )
    ends = low * slope + intercept, high * slope + intercept
    return values * slope + intercept, min(ends), max(ends)


def _values_of_interest(
    values: NDArray[Any], low: float, high: float, ds: Dataset
) -> tuple[NDArray[Any], float, float]:
    if ds.get("VOILUTSequence"):
        return _look_up(np.rint(values), ds.VOILUTSequence[0], ds)
    function = str(ds.get("VOILUTFunction") or "LINEAR").strip().upper()
    centre, width = _first(ds.get("WindowCenter"), 0), _first(ds.get("WindowWidth"), 0)
    # A width that the standard forbids (mostly 0, for "none") is no window.
    if width < (1 if function == "LINEAR" else 1e-9):
        return values, low, high
    if function == "SIGMOID":
        share = 1 / (1 + np.exp(-4 * (values - centre) / width))
    elif function in ("LINEAR", "LINEAR_EXACT"):
        if function == "LINEAR":
            centre, width = centre - 0.5, width - 1
        # Width 1 is a step; the centre itself is dark.
        share = np.where(values <= centre, 0.0, 1.0) if width == 0 else np.clip((values - centre) / width + 0.5, 0, 1)
    else:
        raise ValueError(f"VOI LUT function {function!r} is unknown")
    return share * (high - low) + low, low, high


def _look_up(values: NDArray[Any], item: Dataset, ds: Dataset) -> tuple[NDArray[Any], float, float]:
    """Apply a LUT of PS3.3 C.11.1.1: entries from `first` on, values beyond its ends take the end's entry."""
    count, first, bits = (int(number) for number in item.LUTDescriptor)
    count = count or 2**16
    data = item.LUTData
    if isinstance(data, bytes):
        order = ">" if ds.original_encoding[1] is False else "<"
        data = np.frombuffer(data, f"{order}u2" if len(data) >= 2 * count else "u1")
    entries = np.atleast_1d(np.asarray(data, dtype=np.float64))[:count]
    if len(entries) < count or not 0 < bits <= 16:
        raise ValueError(f"its look-up table has {len(entries)} of {count} entries of {bits} bits")
    index = np.clip(values - first, 0, count - 1).astype(np.int64)
    return entries[index], 0.0, float(2**bits - 1)


def _first(value: Any, default: float) -> float:
    """The first of several values (several windows: the first), `default` where there is none."""
    if isinstance(value, (str, bytes)) or not hasattr(value, "__iter__"):
        return default if value in (None, "") else float(value)
    return float(next(iter(value), default))
