"""Chest radiographs from DICOM files as a viewer shows them, inside stock LoadImaged."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from monai.config import PathLike
from monai.data import PydicomReader
from monai.utils import ensure_tuple
from numpy.typing import NDArray

from ..errors import CxrError
from ..radiograph.dicom_image import read_dicom_image
from ..radiograph.file_kind import is_dicom
from .store_reader import SEPARATOR


class CxrReader(PydicomReader):
    """Read one radiograph `(H, W)`, float32, in the file's own display range, normal polarity (air dark).

    Modality LUT or rescale, VOI LUT or the first window, inversion for MONOCHROME1 or PresentationLUTShape INVERSE.
    Spacing (PixelSpacing, else ImagerPixelSpacing) goes into the affine; `meta["itk_affine"]` is where ITK puts the
    original pixels, see `scripts.radiograph.itk_geometry`. Padding becomes the darkest value, one notch
    below every image pixel, and that value goes into `meta["padding"]`, so that percentiles can leave it out.

    What is wrong with a file is said by `get_data`, not by `read`: LoadImaged takes an error in `read` for "not my
    format" and would let its other readers open the file, with the wrong polarity.

    Args:
        decode_size: None reads every pixel, exactly. S gives the picture with its longest side scaled down to S (as the
            letterbox does), from a reduced-resolution decode where the codec has one: at least 40 dB against exact.
        swap_ij: only False, rows first; named because PydicomReader's default is True.
    """

    def __init__(self, decode_size: int | None = None, swap_ij: bool = False) -> None:
        if swap_ij:
            raise CxrError("CxrReader gives images as (H, W), boxes and masks count on it: leave swap_ij false")
        super().__init__(swap_ij=False)
        self.decode_size = decode_size

    def verify_suffix(self, filename: Sequence[PathLike] | PathLike) -> bool:
        """Whether every file begins like DICOM, or is named so (.dcm, no suffix) and begins like no other image."""
        return all(is_dicom(Path(name)) for name in ensure_tuple(filename))

    def read(self, data: Sequence[PathLike] | PathLike, **kwargs: Any) -> list[Path]:
        """The files, for `get_data` to open; other formats are refused with ValueError, for the next reader."""
        paths = [Path(name) for name in ensure_tuple(data)]
        if not all(is_dicom(path) or _is_missing(path) for path in paths):
            raise ValueError(f"not a DICOM file: {', '.join(map(str, paths))}")
        return paths

    def get_data(self, data: list[Path]) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Pixels and meta dict (no patient identity) of the one file.

        Raises:
            CxrError: names the file and says why it is not a readable radiograph.
        """
        if len(data) != 1:
            raise CxrError(f"a radiograph is one file, got {len(data)}: {', '.join(map(str, data))}")
        return read_dicom_image(data[0], self.decode_size)


def _is_missing(path: Path) -> bool:
    # Nobody can read it, so better one clear error here than LoadImaged's list of all that its readers said.
    return SEPARATOR not in str(path) and not path.exists()
