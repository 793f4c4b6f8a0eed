"""Files of predicted masks: PNG, NIfTI, run lengths."""

from __future__ import annotations

import gzip
from pathlib import Path

import cv2
import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from ...atomic import writing


def write_png(values: NDArray[np.uint8], path: Path) -> None:
    """A picture `[rows, columns]` of 8 bits."""
    with writing(path) as part:
        part.write_bytes(cv2.imencode(".png", values)[1].tobytes())


def write_nifti(
    values: NDArray[np.uint8],
    path: Path,
    itk_affine: NDArray[np.float64] | None,
    spacing: tuple[float, float] | None = None,
) -> None:
    """A picture `[rows, columns]` as `.nii.gz`, `(columns, rows, 1)`, on the image that ITK reads.

    DICOM's and ITK's x and y grow to the patient's left and back, NIfTI's to the right and front: of an image without
    orientation the affine is diag(−column spacing, −row spacing, 1).

    Args:
        values: labels.
        path: the file.
        itk_affine: `[4, 4]`, from (column, row, 0, 1) to ITK's point, mm; see `scripts.radiograph.itk_geometry`.
        spacing: row and column distance in mm that stands in where the affine is None; None = unknown, written as 1
            without a unit.
    """
    row, column = spacing or (1.0, 1.0)
    affine = np.diag([column, row, 1.0, 1.0]) if itk_affine is None else itk_affine
    image = nib.Nifti1Image(np.ascontiguousarray(values.T[..., None]), np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine)
    image.header.set_xyzt_units("mm" if spacing or itk_affine is not None else "unknown")
    with writing(path) as part:
        part.write_bytes(gzip.compress(image.to_bytes(), mtime=0))  # the same mask is the same file


def encode_rle(mask: NDArray[np.bool_]) -> str:
    """Run-length string of a mask `[rows, columns]`, as `scripts.data.masks.decode_rle` and study tables read it.

    Pairs of start and length; pixels are counted from 1, down the columns, from the left. "-1" = an empty mask.
    """
    edges = np.diff(np.concatenate([[0], mask.ravel(order="F").astype(np.int8), [0]]))
    starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    return " ".join(f"{start + 1} {end - start}" for start, end in zip(starts, ends, strict=True)) or "-1"
