"""Words that may leave a DICOM file: codes of the standard and names of vendors; everything else stays inside.

A damaged header can put any text into any element, a patient's name into the view or the vendor.
"""

from __future__ import annotations

import re

from pydicom.dataset import Dataset
from pydicom.uid import UID, UID_dictionary

GREY = ("MONOCHROME1", "MONOCHROME2")
COLOUR = ("RGB", "XYB", "YBR_FULL", "YBR_FULL_422", "YBR_PARTIAL_422", "YBR_PARTIAL_420", "YBR_ICT", "YBR_RCT")
PHOTOMETRIC = (*GREY, *COLOUR, "PALETTE COLOR", "CMYK", "HSV", "ARGB")
"""Photometric interpretations, past and present (PS3.3 C.7.6.3.1.2)."""

LUT_SHAPES = ("IDENTITY", "INVERSE")
LATERALITIES = ("R", "L", "U", "B")

VENDORS = (
    *("Agfa", "Arcoma", "Canon", "CareRay", "Carestream", "Delft", "DRGEM", "DRTECH", "Examion", "Fujifilm", "GE"),
    *("Hitachi", "Hologic", "IDC", "iRay", "Italray", "Kodak", "Konica", "Listem", "Lodox", "Lumisys", "Mindray"),
    *("Neusoft", "Philips", "Quantum", "Rayence", "Samsung", "Sedecal", "Shimadzu", "Siemens", "Swissray"),
    *("Synthetic", "Thales", "Toshiba", "Varian", "Vatech", "Vidar", "Vieworks", "Villa"),
)
VENDOR_WORDS = {name.upper(): name for name in VENDORS} | {"FUJI": "Fujifilm", "GEHC": "GE", "OLDELFT": "Delft"}
"""Vendor by a word of its name; companies renamed or sold keep the name that their devices were known by."""

# UIDs below the standard's own root are assigned by its committee, and no instance has one.
STANDARD_SYNTAX = re.compile(r"1\.2\.840\.10008\.1\.2(\.\d{1,3}){0,3}")
# Of the standard's newer editions than pydicom 3.0's dictionary.
NEW_SYNTAXES = {
    "1.2.840.10008.1.2.4.110": "JPEG XL Lossless",
    "1.2.840.10008.1.2.4.111": "JPEG XL JPEG Recompression",
    "1.2.840.10008.1.2.4.112": "JPEG XL",
    "1.2.840.10008.1.2.8.1": "Deflated Image Frame Compression",
}


def code(ds: Dataset, keyword: str, known: tuple[str, ...]) -> str:
    """The element's value in capitals when it is one of `known`; "" when it is absent, damaged or another."""
    value = " ".join(text(ds, keyword).upper().split())
    return value if value in known else ""


def text(ds: Dataset, keyword: str) -> str:
    """The element's value as text, "" when it is absent or damaged; for comparison only."""
    try:
        return str(ds.get(keyword) or "").strip()
    except Exception:  # of any kind, from pydicom's decoding of the value
        return ""


def vendor(ds: Dataset) -> str:
    """Short name of a known vendor, "other", or "" where the file does not say."""
    words = re.findall("[A-Z]+", text(ds, "Manufacturer").upper())
    return next((VENDOR_WORDS[word] for word in words if word in VENDOR_WORDS), "other" if words else "")


def kind_of(ds: Dataset) -> str:
    """Name of the SOP class."""
    known = UID_dictionary.get(text(ds, "SOPClassUID"))
    return known[0] if known else "unknown kind"


def syntax_name(syntax: UID) -> str:
    """Name of a transfer syntax, its number when the standard is newer than this list, else "unknown or private"."""
    known = UID_dictionary.get(syntax)
    if known and known[1] == "Transfer Syntax":
        return known[0]
    number = str(syntax) if STANDARD_SYNTAX.fullmatch(syntax) else "unknown or private"
    return NEW_SYNTAXES.get(syntax, number)
