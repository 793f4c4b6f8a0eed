"""Length fields that lie, and deflated data sets, in a process that may not take much memory."""

from __future__ import annotations

import resource
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pydicom
import pytest

from bundle.demo.dicom import write_dx
from scripts.data.reader import CxrReader
from scripts.errors import CxrError, UnreadableError
from scripts.radiograph import dicom_file
from scripts.radiograph.dicom_file import inflate, read_dicom
from scripts.radiograph.dicom_image import TAGS

PICTURE = np.arange(40 * 30, dtype=np.uint16).reshape(40, 30)


@contextmanager
def memory(more: int) -> Iterator[None]:
    """No more than `more` bytes of address space beyond what the process has."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + more, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def read(path: Path) -> np.ndarray:
    reader = CxrReader()
    return reader.get_data(reader.read(path))[0]


@pytest.mark.parametrize("name", ["implicit", "explicit"])
@pytest.mark.parametrize("keyword", ["PixelData", "WindowCenter", "Rows", "PatientName", "VOILUTSequence"])
def test_a_length_field_that_lies_is_the_files_fault(tmp_path: Path, name: str, keyword: str) -> None:
    """3.75 GiB by the length field: with 1 GiB of memory no MemoryError, which would speak of the machine."""
    path = tmp_path / "a.dcm"
    write_dx(path, PICTURE, transfer_syntax=name, window=(100, 200), uid_seed="1", tags={"PatientName": "A"})
    content = bytearray(path.read_bytes())
    tag = pydicom.tag.Tag(keyword)
    start = content.find(struct.pack("<HH", tag.group, tag.element), 132)
    if start < 0:  # an element that is not there yet, before the pixels
        start = content.find(struct.pack("<HH", 0x7FE0, 0x10), 132)
        content[start:start] = struct.pack("<HH", tag.group, tag.element) + b"SQ\0\0" + bytes(4)
    # The length follows the tag, or stands in 4 bytes behind the representation.
    at = start + (4 if name == "implicit" else 8)
    if name == "explicit":
        content[start + 4 : start + 8] = b"OW\0\0"  # a representation whose length has 4 bytes
    content[at : at + 4] = struct.pack("<I", 0xF0000000)
    path.write_bytes(content)
    with memory(2**30), pytest.raises(CxrError, match="not a readable radiograph") as caught:
        read(path)
    assert not isinstance(caught.value.__cause__, MemoryError)


def test_a_deflated_file_is_what_was_written(tmp_path: Path) -> None:
    write_dx(tmp_path / "a.dcm", PICTURE, transfer_syntax="deflated", uid_seed="1")
    np.testing.assert_array_equal(read(tmp_path / "a.dcm"), PICTURE)
    ds = read_dicom(tmp_path / "a.dcm", TAGS)
    assert ds.PixelData == pydicom.dcmread(tmp_path / "a.dcm").PixelData
    assert "PatientName" not in ds and "StudyInstanceUID" not in ds
    # Without the preamble as well.
    (tmp_path / "b.dcm").write_bytes((tmp_path / "a.dcm").read_bytes()[132:])
    np.testing.assert_array_equal(read(tmp_path / "b.dcm"), PICTURE)


def test_deflated_data_is_inflated_to_the_largest_image_and_no_further(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bound lowered to a fiftieth: a file of 64 MiB of zeros takes no more than its bound."""
    write_dx(tmp_path / "a.dcm", PICTURE, transfer_syntax="deflated", uid_seed="1")
    whole = (tmp_path / "a.dcm").read_bytes()
    start = whole.find(b"1.2.840.10008.1.2.1.99") + 22
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    packed = packer.compress(bytes(2**26)) + packer.flush()
    (tmp_path / "large.dcm").write_bytes(whole[:start] + packed)
    monkeypatch.setattr(dicom_file, "MAX_INFLATED", 2**22)
    with memory(2**25), pytest.raises(CxrError, match="larger than any image that is read: more than 4194304 bytes"):
        read(tmp_path / "large.dcm")
    np.testing.assert_array_equal(read(tmp_path / "a.dcm"), PICTURE)


def test_the_largest_image_fits_the_bound() -> None:
    assert dicom_file.MAX_INFLATED > 2**26 * 3


def test_deflated_data_that_is_cut_off_or_damaged() -> None:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    packed = packer.compress(b"any text " * 30) + packer.flush()
    assert inflate(packed + b"\0", 300) == b"any text " * 30
    with pytest.raises(UnreadableError, match="cut off"):
        inflate(packed[:-4], 300)
    with pytest.raises(UnreadableError, match="damaged"):
        inflate(b"\xff" + packed, 300)
    with pytest.raises(UnreadableError, match="more than 200 bytes"):
        inflate(packed, 200)
