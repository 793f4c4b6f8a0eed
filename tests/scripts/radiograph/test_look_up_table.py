"""Look-up tables and their absence, against PS3.3 C.11 by hand and pydicom's functions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian

from scripts.errors import UnreadableError
from scripts.radiograph.display import display_of
from scripts.radiograph.layout import Layout

SEQUENCES = ["ModalityLUTSequence", "VOILUTSequence"]
EMPTY_NUMBERS = {"RescaleSlope": "", "RescaleIntercept": "", "WindowCenter": "", "WindowWidth": ""}


def shown(values: np.ndarray, big_endian: Any = False, **tags: Any) -> list[float]:
    """Displayed values of stored ones, in a file of 12 bits."""
    signed = bool((values < 0).any())
    ds = data_set(values, big_endian, **tags)
    return display_of(ds, Layout.of(ds)).show(values.astype(np.int16 if signed else np.uint16)).tolist()


def data_set(values: np.ndarray, big_endian: Any = False, **tags: Any) -> Dataset:
    ds = Dataset()
    ds.set_original_encoding(False, not big_endian)
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRBigEndian if big_endian else ExplicitVRLittleEndian
    ds.Rows, ds.Columns, ds.SamplesPerPixel = 1, len(values), 1
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, int((values < 0).any())
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.add_new("PixelData", "OW", bytes(2 * len(values)))
    for keyword, value in tags.items():
        setattr(ds, keyword, value)
    return ds


def table(first: int, bits: int, data: Any, count: int | None = None, vr: str = "US") -> Sequence:
    item = Dataset()
    item.add_new("LUTDescriptor", vr, [len(data) if count is None else count, first, bits])
    item.add_new("LUTData", "OW" if isinstance(data, bytes) else "US", data)
    return Sequence([item])


def empty_item() -> Sequence:
    item = Dataset()
    item.add_new("LUTDescriptor", "US", None)
    item.add_new("LUTExplanation", "LO", "")
    item.add_new("ModalityLUTType", "LO", "")
    item.add_new("LUTData", "OW", None)
    return Sequence([item])


@pytest.mark.parametrize("sequence", SEQUENCES)
@pytest.mark.parametrize("item", [empty_item(), Sequence([Dataset()]), Sequence(), table(0, 16, b"", count=0)])
def test_an_empty_item_is_no_table(sequence: str, item: Sequence) -> None:
    values = np.array([0, 7, 4095])
    assert shown(values, **{sequence: item}) == [0, 7, 4095]
    # The rescale and the window that stand beside it count.
    window = {"WindowCenter": 100.5, "WindowWidth": 201, "RescaleSlope": 2, "RescaleIntercept": 0}
    assert shown(values, **{sequence: item}, **window)[1:] == pytest.approx([14 / 200 * 8190, 8190])


@pytest.mark.parametrize("keyword", [*EMPTY_NUMBERS, "VOILUTFunction", "PresentationLUTShape", "HighBit"])
def test_an_attribute_without_value_is_as_if_it_were_absent(keyword: str) -> None:
    values = np.array([0, 7, 4095])
    tags = {"RescaleSlope": 1, "RescaleIntercept": 0, "WindowCenter": 2048, "WindowWidth": 4096}
    assert shown(values, **tags | {keyword: EMPTY_NUMBERS.get(keyword)}) == pytest.approx([0, 7, 4095], abs=0.1)


def test_a_window_needs_both_its_numbers() -> None:
    """With the centre taken for 0, every pixel above 50 would be white."""
    assert shown(np.array([0, 7, 4095]), WindowWidth=100, WindowCenter=None) == [0, 7, 4095]


@pytest.mark.parametrize("sequence", SEQUENCES)
@pytest.mark.parametrize(("first", "vr"), [(63488, "US"), (-2048, "SS")])
def test_the_first_mapped_value_is_written_modulo_2_to_16(sequence: str, first: int, vr: str) -> None:
    """63488 is -2048 in a signed file (PS3.3 C.11.1.1: of the same representation as the pixels)."""
    entries = list(range(4096))
    values = np.array([-2048, -1, 0, 2047])
    if vr == "SS":  # the descriptor as a whole is signed then
        item = table(first, 12, entries, vr=vr)
    else:
        item = table(first, 12, entries)
    assert shown(values, **{sequence: item}) == [0, 2047, 2048, 4095]


def test_a_voi_table_begins_below_zero_after_a_rescale_of_unsigned_pixels() -> None:
    tags = {"RescaleSlope": 1, "RescaleIntercept": -1024, "VOILUTSequence": table(64512, 12, list(range(4096)))}
    assert shown(np.array([0, 1024, 4095]), **tags) == [0, 1024, 4095]


def test_a_table_of_65536_entries_says_0() -> None:
    data = np.arange(2**16, dtype="<u2").tobytes()
    assert shown(np.array([0, 9, 4095]), VOILUTSequence=table(0, 16, data, count=0)) == [0, 9, 4095]


@pytest.mark.parametrize("sequence", SEQUENCES)
@pytest.mark.parametrize("first", [0, 1000, 4000])
def test_tables_are_what_pydicom_shows(sequence: str, first: int) -> None:
    values = np.array([0, 1, 999, 1000, 1500, 4095], np.uint16)
    item = table(first, 16, (np.arange(500) ** 2 % 65521).tolist())
    ds = data_set(values, **{sequence: item})
    expected = apply_voi_lut(apply_modality_lut(values, ds), ds)
    assert shown(values, **{sequence: item}) == expected.tolist()


@pytest.mark.parametrize("big_endian", [False, True])
@pytest.mark.parametrize("packed", [False, True])
def test_tables_of_bytes_and_of_words_in_either_byte_order(big_endian: bool, packed: bool) -> None:
    entries = np.arange(256, dtype=np.uint8)
    words = entries.view("<u2") if packed else entries
    data = words.astype(">u2" if big_endian else "<u2").tobytes()
    item = table(0, 8, data, count=256)
    assert shown(np.array([0, 1, 2, 255]), big_endian, VOILUTSequence=item) == [0, 1, 2, 255]


@pytest.mark.parametrize("bits", [0, 8, 17, 255])
def test_bits_that_cannot_be_are_told_by_the_entries(bits: int) -> None:
    """Entries of up to 1023 take 10 bits; MONOCHROME1 turns them over within these."""
    item = table(0, bits, [0, 500, 1023])
    tags = {"VOILUTSequence": item, "PhotometricInterpretation": "MONOCHROME1"}
    assert shown(np.array([0, 1, 2]), **tags) == [1023, 523, 0]


def test_a_table_that_is_cut_off_is_refused() -> None:
    with pytest.raises(UnreadableError, match="3 of 256 entries"):
        shown(np.array([0, 1]), VOILUTSequence=table(0, 16, [0, 1, 2], count=256))


def test_an_unknown_window_function_is_refused_without_its_name() -> None:
    with pytest.raises(UnreadableError, match="none of LINEAR, LINEAR_EXACT, SIGMOID") as caught:
        shown(np.array([0, 1]), WindowCenter=5, WindowWidth=9, VOILUTFunction="DOE^JANE")
    assert "DOE" not in str(caught.value)
