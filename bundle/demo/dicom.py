"""Write a digital X-ray as a valid DICOM file, in any of the transfer syntaxes that archives use."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    JPEG2000,
    UID,
    DeflatedExplicitVRLittleEndian,
    DigitalXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
    generate_uid,
)

from scripts.errors import CxrError

SYNTAXES: dict[str, UID] = {
    "implicit": ImplicitVRLittleEndian,
    "explicit": ExplicitVRLittleEndian,
    "deflated": DeflatedExplicitVRLittleEndian,
    "rle": RLELossless,
    "jpeg_baseline": JPEGBaseline8Bit,
    "jpeg_lossless": JPEGLosslessSV1,
    "jpeg_ls": JPEGLSLossless,
    "jpeg2000_lossless": JPEG2000Lossless,
    "jpeg2000": JPEG2000,
}
"""Short names of the transfer syntaxes that `write_dx` can write."""

LOSSY = (JPEGBaseline8Bit, JPEG2000)
JPEG_QUALITY = 95
JPEG2000_RATIO = 8.0


def write_dx(
    path: str | Path,
    pixels: NDArray[np.uint8] | NDArray[np.uint16],
    *,
    photometric: str = "MONOCHROME2",
    bits_stored: int = 12,
    transfer_syntax: UID | str = ExplicitVRLittleEndian,
    spacing: tuple[float, float] | None = (0.2, 0.2),
    window: tuple[float, float] | None = None,
    rescale: tuple[float, float] | None = None,
    padding_value: int | None = None,
    tags: Mapping[str, Any] | None = None,
    uid_seed: str,
) -> None:
    """Write one "Digital X-Ray Image Storage - For Presentation" file; the same arguments give the same bytes.

    `pixels`, `window` and `padding_value` are all given in normal polarity (bright = bone); for MONOCHROME1 the writer
    mirrors the three, so that both photometric interpretations display the same picture.

    Args:
        path: the file to write.
        pixels: `(H, W)`; uint8 gives 8 bits allocated, uint16 gives 16.
        photometric: `MONOCHROME1` or `MONOCHROME2`.
        bits_stored: bits in use; at most 8 for uint8.
        transfer_syntax: a UID, or a name in `SYNTAXES`.
        spacing: row and column distance in mm, written as ImagerPixelSpacing (what a DX detector knows).
        window: centre and width, in rescaled values.
        rescale: slope and intercept of the modality step.
        padding_value: value of `pixels` that marks areas without image.
        tags: further DICOM keywords (`ViewPosition`, `PatientID`, `StudyInstanceUID`, ...); None deletes one.
        uid_seed: the UIDs are a hash of it.

    Raises:
        CxrError: for pixels that do not fit the bits, or an unknown syntax or photometric interpretation.
    """
    syntax = UID(SYNTAXES.get(transfer_syntax, transfer_syntax))
    bits_stored = min(bits_stored, 8 * pixels.dtype.itemsize)
    top = 2**bits_stored - 1
    _check(path, pixels, photometric, top, syntax)
    slope, intercept = rescale or (1.0, 0.0)
    if photometric == "MONOCHROME1":
        pixels = (top - pixels).astype(pixels.dtype)
        padding_value = None if padding_value is None else top - padding_value
        # DICOM's LINEAR window is centred on c - 0.5, hence the 1.
        window = None if window is None else (slope * top + 2 * intercept - window[0] + 1, window[1])

    ds = _module_tags(uid_seed, photometric)
    ds.Rows, ds.Columns = pixels.shape
    ds.BitsAllocated = 8 * pixels.dtype.itemsize
    ds.BitsStored, ds.HighBit = bits_stored, bits_stored - 1
    ds.RescaleSlope, ds.RescaleIntercept = slope, intercept
    if spacing is not None:
        ds.ImagerPixelSpacing = list(spacing)
    if window is not None:
        ds.WindowCenter, ds.WindowWidth = window
    if padding_value is not None:
        ds.PixelPaddingValue = padding_value
    ds.LossyImageCompression = "01" if syntax in LOSSY else "00"
    for keyword, value in (tags or {}).items():
        if value is None:
            delattr(ds, keyword)
        else:
            setattr(ds, keyword, value)
    _set_pixels(ds, pixels, syntax)
    ds.save_as(path, enforce_file_format=True)


def _check(path: str | Path, pixels: NDArray[Any], photometric: str, top: int, syntax: UID) -> None:
    if photometric not in ("MONOCHROME1", "MONOCHROME2"):
        raise CxrError(f"{path}: photometric is {photometric!r}; write_dx takes MONOCHROME1 or MONOCHROME2")
    if pixels.ndim != 2 or pixels.dtype not in (np.uint8, np.uint16) or int(pixels.max()) > top:
        raise CxrError(f"{path}: write_dx needs 2-D uint8 or uint16 pixels of at most {top}, got {pixels.dtype}")
    if syntax not in SYNTAXES.values():
        raise CxrError(f"{path}: cannot write transfer syntax {syntax}; known: {', '.join(SYNTAXES)}")
    if syntax == JPEGBaseline8Bit and pixels.dtype != np.uint8:
        raise CxrError(f"{path}: JPEG baseline holds 8 bits; give uint8 pixels")


def _module_tags(uid_seed: str, photometric: str) -> Dataset:
    """What the DX modules require besides the pixels; no clock, no patient."""
    ds = Dataset()
    ds.SOPClassUID = DigitalXRayImageStorageForPresentation
    ds.SOPInstanceUID, ds.SeriesInstanceUID, ds.StudyInstanceUID, ds.FrameOfReferenceUID = (
        generate_uid(entropy_srcs=[uid_seed, level]) for level in ("instance", "series", "study", "frame")
    )
    for empty in ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID"):
        setattr(ds, empty, "")
    for empty in ("AccessionNumber", "ReferringPhysicianName", "SeriesNumber", "AcquisitionDate", "AcquisitionTime"):
        setattr(ds, empty, "")
    ds.Modality = "DX"
    ds.Manufacturer = "Synthetic"
    ds.ImageType = ["ORIGINAL", "PRIMARY"]
    ds.PresentationIntentType = "FOR PRESENTATION"
    ds.InstanceNumber = 1
    ds.BodyPartExamined = "CHEST"
    ds.PatientOrientation = ["L", "F"]
    ds.ImageLaterality = "U"
    ds.BurnedInAnnotation = "NO"
    ds.PixelIntensityRelationship, ds.PixelIntensityRelationshipSign = "LOG", 1
    ds.RescaleType = "US"
    ds.SamplesPerPixel = 1
    ds.PixelRepresentation = 0
    ds.PhotometricInterpretation = photometric
    ds.PresentationLUTShape = "INVERSE" if photometric == "MONOCHROME1" else "IDENTITY"
    return ds


def _set_pixels(ds: Dataset, pixels: NDArray[Any], syntax: UID) -> None:
    """Put the encoded pixels and the transfer syntax into the data set."""
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = syntax
    if not syntax.is_compressed or syntax.is_deflated:
        raw = pixels.astype(pixels.dtype.newbyteorder("<"), copy=False).tobytes()
        ds.PixelData = raw + b"\0" * (len(raw) % 2)
        ds["PixelData"].VR = "OB" if ds.BitsAllocated == 8 else "OW"
    elif syntax in (JPEGBaseline8Bit, JPEGLosslessSV1):
        options: dict[str, Any] = (
            {"level": JPEG_QUALITY}
            if syntax == JPEGBaseline8Bit
            else {"lossless": True, "predictor": 1, "bitspersample": ds.BitsStored}
        )
        ds.PixelData = encapsulate([bytes(imagecodecs.jpeg8_encode(np.ascontiguousarray(pixels), **options))])
        ds["PixelData"].VR = "OB"
    else:
        ratio = [JPEG2000_RATIO] if syntax == JPEG2000 else None
        ds.compress(syntax, pixels, generate_instance_uid=False, j2k_cr=ratio)
