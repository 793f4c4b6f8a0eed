"""What kind of image a file holds: what it begins with says more than its name."""

from __future__ import annotations

from pathlib import Path

DICOM_SUFFIXES = ("", ".dcm", ".dicom", ".dic")
PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
PICTURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"II*\0", b"MM\0*", b"BM")
# Without a preamble a file begins with an element of group 2 (file meta) or 8.
GROUPS = (b"\x02\0\0\0", b"\x08\0\0\0", b"\x08\0\x05\0", b"\x08\0\x08\0")


def is_dicom(path: Path) -> bool:
    """Whether a file begins like DICOM; its name decides when it begins like neither DICOM nor another image."""
    start = _start(path)
    return begins_like_dicom(start) or (path.suffix.lower() in DICOM_SUFFIXES and not start.startswith(PICTURES))


def is_image(path: Path) -> bool:
    """Whether a file of a folder is meant as an image: by its suffix, or because it begins like DICOM.

    Hidden files and a disc's index (DICOMDIR) are not.
    """
    if path.name.startswith(".") or path.stem.upper() == "DICOMDIR":
        return False
    named = path.suffix.lower() in (*DICOM_SUFFIXES[1:], *PICTURE_SUFFIXES)
    return named or begins_like_dicom(_start(path))


def begins_like_dicom(start: bytes) -> bool:
    """Whether the first 132 bytes of a file are those of a DICOM file, with or without preamble."""
    return start[128:132] == b"DICM" or start.startswith(GROUPS)


def _start(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(132)
    except OSError:
        return b""
