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
from pydicom.dataset import Dataset

from ..errors import CxrError, UnreadableError, reading
from ..radiograph.codecs import decode_pixels
from ..radiograph.dicom_file import read_dicom
from ..radiograph.display import CONTRADICTION, Display, contradicts_itself, display_of
from ..radiograph.file_kind import is_dicom
from ..radiograph.itk_geometry import ITK_TAGS, dicom_affine, numbers
from ..radiograph.letterbox import Letterbox, resize, resize_valid
from ..radiograph.silence import silence
from ..radiograph.views import normalize_view
from ..radiograph.vocabulary import LATERALITIES, code, text, vendor
from .store_reader import SEPARATOR

TAGS = [
    *("SOPClassUID", "Modality", "Manufacturer", "ViewPosition", "ImageLaterality", "Laterality", "PixelSpacing"),
    *("ImagerPixelSpacing", "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "NumberOfFrames"),
    *("Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelData"),
    *("PixelPaddingValue", "PixelPaddingRangeLimit", "ModalityLUTSequence", "RescaleSlope", "RescaleIntercept"),
    *("VOILUTSequence", "WindowCenter", "WindowWidth", "VOILUTFunction", "PresentationLUTShape"),
    *ITK_TAGS,
]
"""All that is ever parsed: the patient's identity never enters memory."""

# Images of other kinds that lie beside radiographs in an archive; an unknown word is no reason to refuse a file.
OTHER_MODALITIES = ("CT", "MR", "PT", "NM", "US", "IVUS", "OCT", "OP", "OPT", "ES", "GM", "SM", "XC", "ECG")
TINY = float(np.finfo(np.float32).tiny)


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
        path = data[0]
        if not path.is_file():
            raise CxrError(f"{path}: {'is a folder, not a file' if path.is_dir() else 'no such file'}")
        try:
            with silence(), reading("it"):
                with reading("its header"):
                    ds = read_dicom(path, TAGS)
                return self._load(ds)
        except MemoryError as error:
            raise CxrError(f"{path}: not a readable radiograph: not enough memory") from error
        except UnreadableError as error:
            raise CxrError(f"{path}: not a readable radiograph: {error}") from error

    def _load(self, ds: Dataset) -> tuple[NDArray[np.float32], dict[str, Any]]:
        if (modality := text(ds, "Modality").upper()) in OTHER_MODALITIES:
            raise UnreadableError(f"it is a {modality} image; leave it out")
        stored, layout = decode_pixels(ds, self.decode_size)
        valid = _not_padding(stored, ds, layout.signed)
        if valid is not None and stored.shape != (layout.rows, layout.columns):
            # Wavelets smear padding into the picture beside it; only every pixel's value tells the two apart.
            stored, layout = decode_pixels(ds)
            valid = _not_padding(stored, ds, layout.signed)
        with reading("its rescale, window or look-up table"):
            display = display_of(ds, layout)
        rows, columns = self._size(layout.rows, layout.columns)
        if valid is None:
            image, padding = display.show(resize(stored, rows, columns)), float("nan")
        else:
            stored, valid = resize_valid(stored, valid, rows, columns)
            padding = _below(display)
            image = np.where(valid, display.show(stored), np.float32(padding))
        spacing = _spacing(ds)
        factor = np.nan_to_num(spacing, nan=1.0) * (layout.rows / rows, layout.columns / columns)
        meta = {
            "affine": np.diag([*factor, 1.0, 1.0]),
            "spatial_shape": np.array(image.shape),
            "original_channel_dim": float("nan"),
            "height": layout.rows,
            "width": layout.columns,
            "spacing_y": float(spacing[0]),
            "spacing_x": float(spacing[1]),
            "itk_affine": dicom_affine(ds),
            "photometric": layout.photometric,
            "view": normalize_view(text(ds, "ViewPosition")),
            "laterality": code(ds, "ImageLaterality", LATERALITIES) or code(ds, "Laterality", LATERALITIES),
            "manufacturer": vendor(ds),
            "padding": padding,
            "remarks": "; ".join((*layout.remarks, *([CONTRADICTION] if contradicts_itself(ds, layout) else []))),
        }
        return image, meta

    def _size(self, rows: int, columns: int) -> tuple[int, int]:
        if self.decode_size is None or max(rows, columns) <= self.decode_size:
            return rows, columns
        x0, y0, x1, y1 = Letterbox(rows, columns, self.decode_size).content
        return y1 - y0, x1 - x0


def _is_missing(path: Path) -> bool:
    # Nobody can read it, so better one clear error here than LoadImaged's list of all that its readers said.
    return SEPARATOR not in str(path) and not path.exists()


def _not_padding(stored: NDArray[Any], ds: Dataset, signed: bool) -> NDArray[np.bool_] | None:
    """Where the image is (PS3.3 C.7.5.1.1.2); None when there is no padding."""
    value = ds.get("PixelPaddingValue")
    if value is None:
        return None
    limit = ds.get("PixelPaddingRangeLimit")
    # Writers get the sign of the two wrong (US for SS): bring them into the range that the pixels have.
    offset = 2**15 if signed else 0
    ends = [(int(end) + offset) % 2**16 - offset for end in (value, value if limit is None else limit)]
    valid = (stored < min(ends)) | (stored > max(ends))
    return None if valid.all() else valid


def _below(display: Display) -> float:
    """A float32 just below the display range: dark for a viewer, and no image pixel's value."""
    return float(np.float32(display.low - max(abs(display.low) * 1e-6, TINY)))


def _spacing(ds: Dataset) -> NDArray[np.float64]:
    """Row and column distance in mm, as the standard says; NaN where the file does not say."""
    # Pixel Spacing is the calibrated one (PS3.3 10.7.1.3); ITK's rule is another, see itk_geometry.
    for spacing in (numbers(ds, "PixelSpacing"), numbers(ds, "ImagerPixelSpacing")):
        if len(spacing) == 2 and min(spacing) > 0:
            return np.array(spacing)
    return np.full(2, np.nan)
