"""How the pixels of a DICOM data set are stored: what the tags say, and what a compressed stream says of itself."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pydicom import uid
from pydicom.dataset import Dataset

from ..errors import UnreadableError
from .codestream import Stream
from .vocabulary import COLOUR, GREY, PHOTOMETRIC, code, kind_of

MAX_PIXELS = 2**26
"""Largest image that is decoded, pixels: four times the largest detector; a header that claims more is a lie."""

OTHER_NUMBERS = "its pixel stream has another precision or sign than its tags"
NO_POLARITY = "it says no photometric interpretation, and is taken as MONOCHROME2"


@dataclass(frozen=True)
class Layout:
    """How the pixels are stored, checked for what this project reads: one frame, grey or colour, 8 or 16 bits.

    `luminance_first`: of three samples the first is the luminance (YBR); else they are red, green and blue.
    `swapped`: big endian words of two 8-bit pixels (VR OW), the second of which comes first.
    `remarks`: what contradicts itself in the file, and was read all the same.
    """

    rows: int
    columns: int
    samples: int
    allocated: int
    stored: int
    high_bit: int
    signed: bool
    photometric: str
    planar: bool
    big_endian: bool
    swapped: bool
    luminance_first: bool
    syntax: uid.UID
    remarks: tuple[str, ...] = ()

    @classmethod
    def of(cls, ds: Dataset) -> Layout:
        """Read and check the image pixel module.

        Raises:
            UnreadableError: what is missing or not supported, without the file's name: the reader adds it.
        """
        if "PixelData" not in ds:
            raise UnreadableError(f"it has no pixel data ({kind_of(ds)}): not an image, or cut off")
        if (frames := _number(ds, "NumberOfFrames", 1) or 1) != 1:
            raise UnreadableError(
                f"it has {frames} frames; a radiograph has one: export the frame that you want as a file"
            )
        syntax = ds.file_meta.get("TransferSyntaxUID") if hasattr(ds, "file_meta") else None
        big_endian = ds.original_encoding[1] is False
        allocated, samples = _number(ds, "BitsAllocated"), _number(ds, "SamplesPerPixel", 1) or 1
        stored = _number(ds, "BitsStored", 0) or allocated
        photometric = code(ds, "PhotometricInterpretation", PHOTOMETRIC)
        if not photometric and ds.get("PhotometricInterpretation"):
            raise UnreadableError("its photometric interpretation is none of the standard's")
        layout = cls(
            rows=_number(ds, "Rows"),
            columns=_number(ds, "Columns"),
            samples=samples,
            allocated=allocated,
            stored=stored,
            high_bit=_number(ds, "HighBit", stored - 1),
            signed=_number(ds, "PixelRepresentation", 0) == 1,
            photometric=photometric or "MONOCHROME2",
            planar=samples > 1 and _number(ds, "PlanarConfiguration", 0) == 1,
            big_endian=big_endian,
            swapped=big_endian and allocated == 8 and ds["PixelData"].VR == "OW",
            luminance_first=photometric.startswith(("YBR_FULL", "YBR_PARTIAL")),
            syntax=uid.UID(syntax or uid.ImplicitVRLittleEndian),
            remarks=() if photometric else (NO_POLARITY,),
        )
        layout._check()
        return layout

    def _check(self) -> None:
        if not 0 < self.rows * self.columns <= MAX_PIXELS:
            raise UnreadableError(f"{self.rows} x {self.columns} pixels; at most {MAX_PIXELS} are read")
        if self.photometric.startswith("PALETTE"):
            raise UnreadableError("palette colour is not a radiograph's; convert it to MONOCHROME2 first")
        grey = self.photometric in GREY and self.samples == 1
        colour = self.photometric in COLOUR and self.samples == 3 and self.allocated == 8
        if not grey and not colour:
            raise UnreadableError(
                f"photometric interpretation {self.photometric} with {self.samples} samples of a pixel"
            )
        if self.allocated not in (8, 16) or not 0 < self.stored <= self.allocated:
            raise UnreadableError(f"{self.stored} bits stored in {self.allocated}; 1 to 16 bits in 8 or 16 are read")
        if not 0 <= self.high_bit < self.allocated:
            raise UnreadableError(f"its highest bit is {self.high_bit} of {self.allocated}")

    def agree(self, stream: Stream) -> None:
        """Raise UnreadableError when a compressed stream is not the picture of which the tags speak."""
        said, is_ = (self.rows, self.columns, self.samples), (stream.rows, stream.columns, stream.samples)
        if said != is_ or not 0 < stream.precision <= self.allocated:
            raise UnreadableError(
                f"its pixel stream holds {is_} (rows, columns, samples) of {stream.precision} bits, "
                f"its tags say {said} of {self.allocated}"
            )

    def holding(self, needed: int, stream: Stream) -> Layout:
        """The layout of a decoded stream's numbers: as the tags say, or as the stream does where they contradict it.

        Args:
            needed: bits that the numbers take, with their sign.
            stream: what they were decoded from.
        """
        signed = self.signed or stream.signed
        fits = needed <= self.stored
        stored = min(self.stored, stream.precision) if fits else stream.precision
        remarks = self.remarks if fits and signed == self.signed else (*self.remarks, OTHER_NUMBERS)
        return replace(self, stored=stored, high_bit=stored - 1, signed=signed, remarks=remarks)


def _number(ds: Dataset, keyword: str, default: int | None = None) -> int:
    """A whole number of the header, `default` where the element is absent or empty."""
    value = ds.get(keyword)
    if value is None or value == "":
        if default is None:
            raise UnreadableError(f"it has no {keyword}")
        return default
    # A damaged element may hold text of digits, such as a date, and this number may end in a message.
    if not isinstance(value, int):
        raise UnreadableError(f"its {keyword} is no whole number")
    return int(value)
