"""The ways in which a file is damaged or lies; each takes a sound file and a random generator, and gives bytes."""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO

import numpy as np
import pydicom
from pydicom.uid import ExplicitVRBigEndian, HTJ2KLossless

from bundle.demo.dicom import SYNTAXES
from tests.mutants.originals import NAMES, original

UIDS = (*SYNTAXES.values(), HTJ2KLossless, ExplicitVRBigEndian)
PIXEL_DATA = (b"\xe0\x7f\x10\x00", b"\x7f\xe0\x00\x10")
ITEM = b"\xfe\xff\x00\xe0"

Mutation = Callable[[bytes, np.random.Generator], bytes]


def flip_header_bit(content: bytes, rng: np.random.Generator) -> bytes:
    """One bit before the pixels."""
    return _flip(content, rng, 0, _pixels_at(content))


def flip_pixel_bit(content: bytes, rng: np.random.Generator) -> bytes:
    """One bit in or behind the pixel data's header."""
    return _flip(content, rng, _pixels_at(content), len(content))


def truncate(content: bytes, rng: np.random.Generator) -> bytes:
    """The end is missing."""
    return content[: int(rng.integers(140, len(content)))]


def lie_about_pixel_length(content: bytes, rng: np.random.Generator) -> bytes:
    """The length field of the pixel data, or of a fragment in it, is another."""
    if max(content.rfind(tag) for tag in PIXEL_DATA) < 0:
        return _within_deflated(content, lambda inflated: lie_about_pixel_length(inflated, rng))
    order = "<" if content.rfind(PIXEL_DATA[0]) >= 0 else ">"
    at = _pixels_at(content)
    item = content.find(ITEM, at + 20)  # behind the offset table
    place = item + 4 if item > 0 else at + (8 if content[at + 4 : at + 6] in (b"OB", b"OW") else 4)
    (length,) = struct.unpack_from(f"{order}I", content, place)
    lie = int(rng.choice([length // 2, length - 2, length + 2, 2 * length, 2**31, 0]))
    return content[:place] + struct.pack(f"{order}I", lie) + content[place + 4 :]


def lie_about_element_length(content: bytes, rng: np.random.Generator) -> bytes:
    """The length field of some element of the header is another."""
    end = _pixels_at(content)
    places = [at for at in range(140, end - 8) if content[at : at + 2] in (b"\x28\0", b"\0\x28", b"\x08\0", b"\0\x08")]
    at = int(rng.choice(places)) + 6 if places else int(rng.integers(140, len(content)))
    return content[:at] + rng.bytes(2) + content[at + 2 :]


def lie_about_rows(content: bytes, rng: np.random.Generator) -> bytes:
    """Rows is another number."""
    return _edit(content, Rows=_another(96, rng))


def lie_about_columns(content: bytes, rng: np.random.Generator) -> bytes:
    """Columns is another number."""
    return _edit(content, Columns=_another(80, rng))


def lie_about_bits(content: bytes, rng: np.random.Generator) -> bytes:
    """Bits Stored and High Bit, or Bits Allocated are others."""
    stored = int(rng.choice([7, 10, 16]))
    lies = [{"BitsStored": stored, "HighBit": stored - 1}, {"BitsAllocated": 32}]
    return _edit(content, **lies[int(rng.integers(len(lies)))])


def lie_about_sign(content: bytes, rng: np.random.Generator) -> bytes:
    """Pixel Representation says signed."""
    return _edit(content, PixelRepresentation=1)


def lie_about_frames(content: bytes, rng: np.random.Generator) -> bytes:
    """Number of Frames is not 1."""
    return _edit(content, NumberOfFrames=int(rng.choice([2, 3, 100, 2**31 - 1])))


def swap_syntax(content: bytes, rng: np.random.Generator) -> bytes:
    """The transfer syntax is another one; the data stay as they are."""
    meta = pydicom.dcmread(BytesIO(content), specific_tags=[]).file_meta
    old = str(meta.TransferSyntaxUID)
    new = str(rng.choice([uid for uid in UIDS if uid != old]))
    # In the length that the element has: a shorter name is filled up, a longer one moves the rest.
    at = content.find(old.encode())
    length = len(old) + len(old) % 2
    value = new.encode() + b"\0" * (len(new) % 2)
    group = struct.unpack_from("<I", content, 140)[0] + len(value) - length
    changed = content[: at - 2] + struct.pack("<H", len(value)) + value + content[at + length :]
    return changed[:140] + struct.pack("<I", group) + changed[144:]


MUTATIONS: dict[str, Mutation] = {
    "header bit": flip_header_bit,
    "pixel bit": flip_pixel_bit,
    "truncation": truncate,
    "pixel length": lie_about_pixel_length,
    "element length": lie_about_element_length,
    "rows": lie_about_rows,
    "columns": lie_about_columns,
    "bits": lie_about_bits,
    "sign": lie_about_sign,
    "frames": lie_about_frames,
    "syntax": swap_syntax,
}


@dataclass(frozen=True)
class Mutant:
    """One damaged file: `content`, from which sound file (`name`, `photometric`), how (`kind`) and its seed."""

    name: str
    photometric: str
    kind: str
    seed: int
    content: bytes

    @property
    def digest(self) -> str:
        """First 16 hex digits of its SHA-256."""
        return hashlib.sha256(self.content).hexdigest()[:16]


def mutants(count: int) -> Iterator[Mutant]:
    """The first `count` mutants: the kinds in turn over the syntaxes in turn, seed after seed."""
    sound = {(name, p): original(name, p) for name in NAMES for p in ("MONOCHROME1", "MONOCHROME2")}
    cells = [(name, kind) for kind in MUTATIONS for name in NAMES]
    for index in range(count):
        name, kind = cells[index % len(cells)]
        photometric = ("MONOCHROME1", "MONOCHROME2")[(index // len(cells)) % 2]
        content = MUTATIONS[kind](sound[name, photometric], np.random.default_rng(index))
        yield Mutant(name, photometric, kind, index, content)


def _pixels_at(content: bytes) -> int:
    """Where the pixel data element begins; of a deflated file the first third counts as header."""
    at = max(content.rfind(tag) for tag in PIXEL_DATA)
    return at if at > 0 else len(content) // 3


def _within_deflated(content: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """`change` made to the data set of a deflated file, before it is deflated."""
    start = 144 + struct.unpack_from("<I", content, 140)[0]
    inflated = zlib.decompress(content[start:], -zlib.MAX_WBITS)
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return content[:start] + packer.compress(change(inflated)) + packer.flush()


def _flip(content: bytes, rng: np.random.Generator, start: int, end: int) -> bytes:
    place, bit = int(rng.integers(start, end)), int(rng.integers(8))
    return content[:place] + bytes([content[place] ^ 1 << bit]) + content[place + 1 :]


def _another(number: int, rng: np.random.Generator) -> int:
    return int(rng.choice([number - 1, number + 1, number // 2, 2 * number, 1, 65535]))


def _edit(content: bytes, **tags: int) -> bytes:
    ds = pydicom.dcmread(BytesIO(content))
    for keyword, value in tags.items():
        setattr(ds, keyword, value)
    stream = BytesIO()
    ds.save_as(stream)
    return stream.getvalue()
