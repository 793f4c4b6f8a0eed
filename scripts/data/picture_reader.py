"""PNG, JPEG, TIFF and BMP files inside stock LoadImaged, whatever way their pixels are stored."""

from __future__ import annotations

from monai.data import PILReader
from PIL import Image


class PictureReader(PILReader):
    """Read one picture, rows first: grey `(H, W)` with every bit that it has, or RGB `(H, W, 3)`.

    PILReader gives the stored numbers, which for a palette are places in a list of colours, for CMYK ink, and for one
    bit truth values; here they become the colours that a viewer shows.
    """

    def __init__(self) -> None:
        super().__init__(converter=grey_or_rgb, reverse_indexing=False)


def grey_or_rgb(picture: Image.Image) -> Image.Image:
    """The picture in a mode whose numbers are brightness: L, 16 or 32 bits (I, F) as they are, else L or RGB."""
    if picture.mode in ("L", "RGB", "F") or picture.mode.startswith("I"):
        return picture
    converted = picture.convert("L" if picture.mode in ("1", "LA", "La") else "RGB")
    converted.format = picture.format  # part of the meta dict, and None cannot be collated
    return converted
