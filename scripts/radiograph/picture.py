"""PNG, JPEG, TIFF and BMP pictures as a viewer shows them; masks are read by the same rule."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, TiffImagePlugin

from ..errors import reading
from .itk_geometry import TURNS, picture_affine
from .standard_image import luminance


def read_picture(picture: Image.Image) -> tuple[NDArray[Any], dict[str, Any]]:
    """Pixels, upright and rows first, and facts of an opened picture, named as MONAI's meta dict names them.

    Returns:
        Grey `(H, W)` with every bit that it has, or RGB `(H, W, 3)`; float32 with `padding`, one value below all
        others, where the picture is fully transparent (NaN where there is none). `height`, `width` and `spatial_shape`
        are the upright picture's.

    Raises:
        UnreadableError: for a damaged one.
    """
    with reading("its picture"):
        upright, orientation = turn_upright(picture)
        image, opaque = viewed(upright)
    padding = float("nan")
    if opaque is not None:
        image = luminance(np.moveaxis(image, -1, 0) if image.ndim == 3 else image)
        lowest = min(0.0, float(np.nanmin(image)))
        padding = float(np.float32(lowest - max(1.0, abs(lowest) * 1e-6)))
        image = np.where(opaque, image, np.float32(padding))
    meta = {
        "format": picture.format,
        "mode": picture.mode,
        "spatial_shape": np.array(image.shape[:2]),
        "original_channel_dim": float("nan") if image.ndim == 2 else -1,
        "height": image.shape[0],
        "width": image.shape[1],
        "padding": padding,
        "itk_affine": picture_affine(picture, orientation, image.shape[:2]),
    }
    return image, meta


def open_picture(content: bytes) -> Image.Image:
    """A picture from a file's bytes, and never by its name: Pillow 13.0.0 maps an uncompressed TIFF into memory and
    then scrambles one that is to be turned onto its side (Orientation 5 to 8).
    """
    return Image.open(io.BytesIO(content))


def turn_upright(picture: Image.Image) -> tuple[Image.Image, int]:
    """The picture as `PIL.ImageOps.exif_transpose` turns it, and the orientation (1 to 8; EXIF's tag 0x0112) that it
    was stored in. An EXIF block that cannot be read turns nothing.
    """
    # Pillow turns a TIFF, and forgets how, while it loads; a PNG may have its block behind the pixels.
    is_tiff = isinstance(picture, TiffImagePlugin.TiffImageFile)
    orientation = _orientation(picture) if is_tiff else 1
    picture.load()  # what is wrong with the pixels is said here
    if not is_tiff and (orientation := _orientation(picture)) != 1:
        picture = ImageOps.exif_transpose(picture)
    return picture, orientation


def viewed(picture: Image.Image) -> tuple[NDArray[Any], NDArray[np.bool_] | None]:
    """The brightness that a viewer shows of an upright picture, and where it shows something.

    One bit becomes 0 and 255; palette, CMYK and other colours RGB; L, 16 and 32 bits (I, F) stay as they are.

    Returns:
        `(H, W)` or `(H, W, 3)`, and bool `(H, W)`, False where the picture is fully transparent (alpha 0, or the
        colour that a PNG names for it); None where it is so nowhere.
    """
    opaque = _opaque(picture)
    if picture.mode not in ("L", "RGB", "F") and not picture.mode.startswith("I"):
        picture = picture.convert("L" if picture.mode in ("1", "LA", "La") else "RGB")
    return np.asarray(picture), None if opaque is None or opaque.all() else opaque


def _orientation(picture: Image.Image) -> int:
    try:
        orientation = picture.getexif().get(ExifTags.Base.Orientation, 1)
        return orientation if orientation in TURNS else 1
    except Exception:  # whatever Pillow raises on a damaged block; the pixels are whole
        return 1


def _opaque(picture: Image.Image) -> NDArray[np.bool_] | None:
    if picture.mode in ("LA", "La", "PA", "RGBA", "RGBa"):
        return np.asarray(picture.getchannel("A")) > 0
    clear = picture.info.get("transparency")
    if clear is None:
        return None
    if picture.mode == "P":
        return np.asarray(picture.convert("RGBA").getchannel("A")) > 0
    if picture.mode == "RGB":
        return (np.asarray(picture) != np.array(clear)).any(axis=-1)
    return np.asarray(picture.convert("L") if picture.mode == "1" else picture) != clear
