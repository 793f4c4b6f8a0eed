"""PNG, JPEG, TIFF and BMP files inside stock LoadImaged, as a viewer shows them; masks are read by the same rule."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from monai.config import PathLike
from monai.data import PILReader
from monai.utils import ensure_tuple
from numpy.typing import NDArray
from PIL import Image

from ..errors import CxrError, reading
from ..radiograph.picture import open_picture, read_picture


class PictureReader(PILReader):
    """Read one picture, upright, rows first: grey `(H, W)` with every bit that it has, or RGB `(H, W, 3)`.

    PILReader gives the stored numbers, which for a palette are places in a list of colours, for CMYK ink, for one bit
    truth values, and for a turned camera lie on their side; here they become what a viewer shows, see
    `scripts.radiograph.picture`. Where the picture is fully transparent it becomes padding: grey float32, one value
    below all others, which is `meta["padding"]`, as `CxrReader` marks it (NaN where there is none).
    """

    def __init__(self) -> None:
        super().__init__(reverse_indexing=False)

    def read(self, data: Sequence[PathLike] | PathLike, **kwargs: Any) -> Any:
        """The opened picture (a list of several, which `get_data` refuses); an error for other formats."""
        with reading("it"):
            pictures = [open_picture(Path(name).read_bytes()) for name in ensure_tuple(data)]
        return pictures if len(pictures) > 1 else pictures[0]

    def get_data(self, img: Any) -> tuple[NDArray[Any], dict[str, Any]]:
        """Pixels and meta dict of the one picture; `height`, `width` and `spatial_shape` are the upright picture's.

        Raises:
            CxrError: for several pictures.
            UnreadableError: for a damaged one.
        """
        if not isinstance(img, Image.Image):
            raise CxrError(f"a radiograph is one picture, got {len(img)}")
        return read_picture(img)
