"""A radiograph from a DICOM file, as a viewer shows it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from ..errors import CxrError, UnreadableError, reading
from .codecs import decode_pixels
from .dicom_file import read_dicom
from .display import CONTRADICTION, Display, contradicts_itself, display_of
from .itk_geometry import ITK_TAGS, dicom_affine, numbers
from .letterbox import Letterbox, resize, resize_valid
from .silence import silence
from .views import normalize_view
from .vocabulary import LATERALITIES, code, text, vendor

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


def read_dicom_image(path: Path, decode_size: int | None = None) -> tuple[NDArray[np.float32], dict[str, Any]]:
    """Pixels `(H, W)` in the file's own display range, normal polarity (air dark), and facts without a trace of the
    patient, named as MONAI's meta dict names them.

    Modality LUT or rescale, VOI LUT or the first window, inversion for MONOCHROME1 or PresentationLUTShape INVERSE.
    Padding becomes the darkest value, one notch below every image pixel, which is `padding`.

    Args:
        path: of the file.
        decode_size: None reads every pixel, exactly. S gives the picture with its longest side scaled down to S (as the
            letterbox does), from a reduced-resolution decode where the codec has one: at least 40 dB against exact.

    Raises:
        CxrError: names the file and says why it is not a readable radiograph.
    """
    if not path.is_file():
        raise CxrError(f"{path}: {'is a folder, not a file' if path.is_dir() else 'no such file'}")
    try:
        with silence(), reading("it"):
            with reading("its header"):
                ds = read_dicom(path, TAGS)
            return dicom_image(ds, decode_size)
    except MemoryError as error:
        raise CxrError(f"{path}: not a readable radiograph: not enough memory") from error
    except UnreadableError as error:
        raise CxrError(f"{path}: not a readable radiograph: {error}") from error


def dicom_image(ds: Dataset, decode_size: int | None = None) -> tuple[NDArray[np.float32], dict[str, Any]]:
    """`read_dicom_image` of a data set that is parsed already.

    Raises:
        UnreadableError: it is no readable radiograph.
    """
    if (modality := text(ds, "Modality").upper()) in OTHER_MODALITIES:
        raise UnreadableError(f"it is a {modality} image; leave it out")
    stored, layout = decode_pixels(ds, decode_size)
    valid = _not_padding(stored, ds, layout.signed)
    if valid is not None and stored.shape != (layout.rows, layout.columns):
        # Wavelets smear padding into the picture beside it; only every pixel's value tells the two apart.
        stored, layout = decode_pixels(ds)
        valid = _not_padding(stored, ds, layout.signed)
    with reading("its rescale, window or look-up table"):
        display = display_of(ds, layout)
    rows, columns = _size(layout.rows, layout.columns, decode_size)
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


def _size(rows: int, columns: int, longest: int | None) -> tuple[int, int]:
    if longest is None or max(rows, columns) <= longest:
        return rows, columns
    x0, y0, x1, y1 = Letterbox(rows, columns, longest).content
    return y1 - y0, x1 - x0


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
