"""Where ITK, and with it SimpleITK, 3D Slicer and ITK-SNAP, puts the pixels of a radiograph's file.

A mask written for such a viewer has to lie on them, right or wrong in millimetres. The rules are those of SimpleITK
2.5.7 (ITK 5.4 with GDCM), found by trying, and held by tests against it.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom import uid
from pydicom.dataset import Dataset

ITK_TAGS = [
    *("NominalScannedPixelSpacing", "ImagePlanePixelSpacing", "SpacingBetweenSlices"),
    *("ImagePositionPatient", "ImageOrientationPatient"),
]
"""What these rules need beyond the tags of the reader."""

PROJECTIONS = {
    uid.ComputedRadiographyImageStorage: "CR",
    uid.DigitalXRayImageStorageForPresentation: "DX",
    uid.DigitalXRayImageStorageForProcessing: "",
    uid.DigitalMammographyXRayImageStorageForPresentation: "MG",
    uid.DigitalMammographyXRayImageStorageForProcessing: "",
    uid.DigitalIntraOralXRayImageStorageForPresentation: "",
    uid.DigitalIntraOralXRayImageStorageForProcessing: "",
    uid.XRayAngiographicImageStorage: "XA",
    uid.XRayRadiofluoroscopicImageStorage: "RF",
}
"""SOP classes of Imager Pixel Spacing, and the modality that stands for one where a file names no class."""

PLANES = (uid.CTImageStorage, uid.MRImageStorage, uid.VLPhotographicImageStorage)
CAPTURES = (
    uid.MultiFrameSingleBitSecondaryCaptureImageStorage,
    uid.MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
    uid.MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
    uid.MultiFrameTrueColorSecondaryCaptureImageStorage,
)
"""Of several frames: without spacing and place."""

# Upright rows and columns, as a picture's stored ones: (transposed, rows reversed, columns reversed); EXIF 2.32.
TURNS = {
    1: (False, False, False),
    2: (False, False, True),
    3: (False, True, True),
    4: (False, True, False),
    5: (True, False, False),
    6: (True, False, True),
    7: (True, True, True),
    8: (True, True, False),
}
# ITK leaves PNG and JPEG as they are stored; of a TIFF it does the mirroring of EXIF's turn, never the transposition.
TIFF_TURNS = {5: 5, 6: 7, 7: 5, 8: 7}


def dicom_affine(ds: Dataset) -> NDArray[np.float64]:
    """4 x 4 map from (column, row, 0, 1), pixel centres, to ITK's physical point, mm, x to the patient's left, y back.

    * Spacing: Imager Pixel Spacing (0018,1164) alone for CR, DX, MG, intra-oral, XA and RF; Pixel Spacing (0028,0030),
      else Nominal Scanned Pixel Spacing (0018,2010), for Secondary Capture; Pixel Spacing for a plane (CT, MR,
      photograph); Image Plane Pixel Spacing (3002,0011) for RT Image; else 1. A distance of 0 is 1, too, and so is what
      is no number, of which ITK makes anything.
    * Depth: Spacing Between Slices (0018,0088), else 1.
    * Origin and direction: Image Position and Image Orientation (Patient), which a radiograph seldom has.
    """
    header = getattr(ds, "file_meta", None) or {}
    kind = str(ds.get("SOPClassUID") or header.get("MediaStorageSOPClassUID") or "").strip()
    modality = str(ds.get("Modality") or "").strip()
    projection = kind in PROJECTIONS if kind else modality in filter(None, PROJECTIONS.values())
    if projection:
        spacing = numbers(ds, "ImagerPixelSpacing")
    elif kind in ("", uid.SecondaryCaptureImageStorage):
        spacing = numbers(ds, "PixelSpacing") or numbers(ds, "NominalScannedPixelSpacing")
    elif kind == uid.RTImageStorage:
        spacing = numbers(ds, "ImagePlanePixelSpacing")
    else:
        spacing = numbers(ds, "PixelSpacing") if kind in PLANES else []
    row, column = (*spacing, *spacing, 1.0, 1.0)[:2]
    depth = [] if kind in (uid.VLPhotographicImageStorage, *CAPTURES) else numbers(ds, "SpacingBetweenSlices")
    affine = np.eye(4)
    affine[:3, :3] = _direction(numbers(ds, "ImageOrientationPatient")) * [
        distance or 1.0 for distance in (column, row, *depth[:1], 1.0)[:3]
    ]
    if kind not in CAPTURES:
        affine[:3, 3] = (numbers(ds, "ImagePositionPatient") + [0.0] * 3)[:3]
    return affine


def picture_affine(picture: Image.Image, orientation: int, shape: tuple[int, int]) -> NDArray[np.float64]:
    """The same of a PNG, JPEG, TIFF or BMP; ITK does not turn it, so the map from upright pixels does.

    Spacing is the resolution of a JPEG's JFIF header or a TIFF's tags where these name inches or centimetres (of a
    scan it is the paper's), and 1 for the others.

    Args:
        picture: as opened.
        orientation: EXIF's, of the stored picture.
        shape: rows and columns of the upright picture.
    """
    turn = TIFF_TURNS.get(orientation, 1) if picture.format == "TIFF" else orientation
    transposed, rows_back, columns_back = TURNS[turn]
    upright = np.eye(4)  # (column, row, 0, 1) of the upright picture, without its reversals
    for axis, (back, count) in enumerate(zip((columns_back, rows_back), reversed(shape))):
        if back:
            upright[axis, axis], upright[axis, 3] = -1, count - 1
    if transposed:
        upright = upright[[1, 0, 2, 3]]
    column, row = _resolution(picture)
    return np.diag([column, row, 1.0, 1.0]) @ upright


def numbers(ds: Dataset, keyword: str) -> list[float]:
    """Values of a decimal string that are all finite; none where there is nothing, or no number."""
    values: list[float] = []
    with suppress(Exception):  # pydicom raises errors of several kinds on a text that is no number
        value = ds.get(keyword)
        values = [] if value is None else [float(number) for number in np.atleast_1d(value)]
    return values if np.isfinite(values).all() else []


def _direction(cosines: list[float]) -> NDArray[np.float64]:
    """Columns x, y, z of GDCM's orthonormal frame; the identity for cosines that make up none."""
    rows, columns = np.array([cosines[:3], cosines[3:6]]) if len(cosines) >= 6 else np.eye(3)[:2]
    lengths = np.linalg.norm(rows), np.linalg.norm(columns)
    if min(lengths) == 0 or abs(rows @ columns) > 1e-3:
        return np.eye(3)
    rows, columns = rows / lengths[0], columns / lengths[1]
    normal = np.cross(rows, columns)
    normal /= np.linalg.norm(normal)
    return np.stack([np.cross(columns, normal), columns, normal], axis=1)


def _resolution(picture: Image.Image) -> tuple[float, float]:
    """Column and row distance, mm."""
    if picture.format == "TIFF":
        tags: Any = getattr(picture, "tag_v2", {})
        mm = {2: 25.4, 3: 10.0}.get(tags.get(296, 1))
        across, down = tags.get(282, 0), tags.get(283, 0)
    else:
        mm = {1: 25.4, 2: 10.0}.get(picture.info.get("jfif_unit", 0))
        across, down = picture.info.get("jfif_density", (0, 0))
    return (mm / float(across), mm / float(down)) if mm and across and down else (1.0, 1.0)
