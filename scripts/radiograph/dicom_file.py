"""A DICOM file parsed for the few elements that are asked for, whatever its length fields claim."""

from __future__ import annotations

import io
import zlib
from collections.abc import Sequence
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag, Tag
from pydicom.uid import DeflatedExplicitVRLittleEndian

from ..errors import UnreadableError
from .layout import MAX_PIXELS

PREAMBLE = 128
PREFIX = b"DICM"
MAX_INFLATED = 3 * MAX_PIXELS + 2**24
"""Bytes of the largest data set that is inflated: the largest image that is read, in colour, and room for the rest."""


def read_dicom(path: Path, keywords: Sequence[str]) -> Dataset:
    """The data set of a file, with the elements of these keywords only.

    Raises:
        UnreadableError: a deflated data set is cut off, or larger than any image that is read. pydicom raises errors of
            its own on damaged files.
    """
    with _Bounded(path) as file:
        meta = _deflated_meta(file)
        if meta is None:
            file.seek(0)
            return dcmread(file, force=True, specific_tags=list(keywords))
        data = io.BytesIO(inflate(file.read(MAX_INFLATED), MAX_INFLATED))  # whose reads are bounded already
        ds = read_dataset(data, False, True, specific_tags=[Tag(keyword) for keyword in keywords])
        ds.file_meta = meta
        return ds


def inflate(deflated: bytes, most: int) -> bytes:
    """RFC 1951 data inflated, without ever holding more than `most` bytes (zlib reaches 1,000 times its input).

    Raises:
        UnreadableError: it is larger, cut off, or damaged.
    """
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        data = inflater.decompress(deflated, most + 1)
    except zlib.error:
        raise UnreadableError("its deflated data is damaged") from None
    if len(data) > most:
        raise UnreadableError(f"its deflated data is larger than any image that is read: more than {most} bytes")
    if not inflater.eof:
        raise UnreadableError("its deflated data is cut off")
    return data


class _Bounded(io.BufferedReader):
    """A file whose reads claim no more memory than the file has bytes.

    A length field can say 4 GiB, and a plain file object allocates what it is asked for before it looks.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(io.FileIO(path))
        self._size = path.stat().st_size

    def read(self, size: int | None = -1, /) -> bytes:
        """The next `size` bytes, or as many as are left: whether these are enough, the picture's size will tell."""
        if size is None or size < 0:
            # pydicom asks for everything only to inflate it, without a bound.
            raise UnreadableError("it is deflated, and its file meta information is damaged")
        left = max(0, self._size - self.tell())
        if size > max(left, MAX_INFLATED):
            raise UnreadableError("a length field claims more bytes than the file and any image have")
        return super().read(min(size, left))


def _deflated_meta(file: io.BufferedReader) -> FileMetaDataset | None:
    """File meta information of a deflated file, with `file` at its data set; None for any other file."""
    start = PREAMBLE + len(PREFIX) if file.read(PREAMBLE + len(PREFIX))[PREAMBLE:] == PREFIX else 0
    file.seek(start)
    meta = read_dataset(file, False, True, stop_when=_is_past_meta, specific_tags=[Tag("TransferSyntaxUID")])
    deflated = meta.get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian
    return FileMetaDataset(meta) if deflated else None


def _is_past_meta(tag: BaseTag, vr: str | None, length: int) -> bool:
    return tag.group != 2
