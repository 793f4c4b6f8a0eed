"""Look-up tables of DICOM data sets: Modality LUT and VOI LUT (PS3.3 C.11.1.1, C.11.2.1.1)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from ..errors import UnreadableError

SPAN = 2**16


def table_in(ds: Dataset, sequence: str) -> Dataset | None:
    """The first item of a sequence when it holds a table; None for an absent or empty sequence, and for an item that is
    there with every attribute empty, which several vendors write for "none".
    """
    items = ds.get(sequence)
    item = items[0] if items else None
    return None if item is None or _is_empty(item, "LUTDescriptor") or _is_empty(item, "LUTData") else item


def look_up(
    values: NDArray[Any], low: float, high: float, item: Dataset, big_endian: bool
) -> tuple[NDArray[Any], float, float]:
    """Values through a table, and the range of its entries; what is beyond its ends gets the end's entry.

    Args:
        values: whole numbers.
        low, high: the range of all values.
        item: with LUTDescriptor and LUTData.
        big_endian: byte order of LUTData.

    Raises:
        UnreadableError: fewer entries than the table says.
    """
    count, first, bits = (int(number) for number in item.LUTDescriptor)
    count = count % SPAN or SPAN
    entries = _entries(item.LUTData, count, bits, big_endian)
    if len(entries) < count:
        raise UnreadableError(f"its look-up table has {len(entries)} of {count} entries")
    index = np.clip(values - _first_mapped(first, count, low, high), 0, count - 1).astype(np.int64)
    top = int(entries.max())
    # Where the number of bits cannot be, the entries tell it.
    bits = bits if 0 < bits <= 16 and top < 2**bits else max(1, top.bit_length())
    return entries[index].astype(np.float64), 0.0, float(2**bits - 1)


def _is_empty(item: Dataset, keyword: str) -> bool:
    value = item.get(keyword)
    return value is None or (hasattr(value, "__len__") and len(value) == 0)


def _first_mapped(first: int, count: int, low: float, high: float) -> int:
    """The value of the first entry, which is written modulo 2^16 (63488 for -2048): the reading that meets the values.

    By the standard its sign is Pixel Representation's; after a rescale only the values themselves tell.
    """
    readings = (first, first - SPAN, first + SPAN)
    return max(readings, key=lambda start: max(0.0, min(high, start + count - 1) - max(low, start) + 1))


def _entries(data: Any, count: int, bits: int, big_endian: bool) -> NDArray[Any]:
    """The table's entries, at most `count`; words of 16 bits, or bytes, two of which may be packed into a word."""
    if isinstance(data, bytes):
        words = np.frombuffer(data[: len(data) // 2 * 2], ">u2" if big_endian else "<u2")
    else:
        words = np.atleast_1d(np.asarray(data, np.int64) % SPAN)
    if len(words) >= count or bits > 8 or 2 * len(words) < count:
        return words[:count]
    return words.astype("<u2").view(np.uint8)[:count]
