"""Segmentation: masks in the pixels of the original image, as PNG, run lengths or NIfTI, with their areas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import cv2
import numpy as np
from ignite.engine import Engine
from numpy.typing import NDArray
from torch import Tensor

from ...errors import CxrError
from ...figures.montage import Panel, plot_montage
from ...names import file_parts, file_stem
from ...predictions.writer import Original, PredictionWriter, by_name, output_tensor
from ..probabilities import probabilities
from .mask_files import encode_rle, write_nifti, write_png

Format = Literal["png", "rle", "nifti"]
SUFFIX = {"png": ".png", "nifti": ".nii.gz"}


class MaskWriter(PredictionWriter):
    """Writes `predictions.json` and one mask an image and name, at the size of the original image.

    An entry holds `height`, `width`, `spacing_mm` (row, column; null unknown) and `masks`: of each name its
    `area_pixels`, `area_mm2` (null without spacing) and its `file` in `masks/`, or `rle`. Files are called
    `<image's id>__<name>`, see `scripts.names`.

    * `png`: 8 bits, 255 inside, 0 outside; as a label map 1, 2, … in the order of `names`, 0 outside.
    * `rle`: a text of start and length pairs, as a study table takes it; see `encode_rle`.
    * `nifti`: `(columns, rows, 1)`, values 1 (or the label map's) and 0, where ITK puts the image, whose rule of
      spacing is another than that of `spacing_mm` and the areas; see `write_nifti` and
      `scripts.radiograph.itk_geometry`.

    Args:
        folder, names: see `PredictionWriter`.
        format: as above.
        threshold: on the probability: one for all, a list, or a mapping by name.
        label_map: one file an image instead of one a name; where masks overlap the likeliest name wins.
        temperature: of the logits.
        logits: False when the outputs are probabilities already, because `Probabilitiesd` ran before.
        overlays: also draw each image with its masks, into `overlays/`.
        **options: see `PredictionWriter`.
    """

    task: ClassVar[str] = "segmentation"

    def __init__(
        self,
        folder: str,
        names: Sequence[str],
        format: Format = "png",
        threshold: float | Sequence[float] | Mapping[str, float] = 0.5,
        label_map: bool = False,
        temperature: float = 1.0,
        logits: bool = True,
        overlays: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(folder, names, **options)
        if format not in ("png", "rle", "nifti"):
            raise CxrError(f"format must be png, rle or nifti, not {format!r}.")
        if label_map and format == "rle":
            raise CxrError("A label map cannot be written as run lengths: take format png or nifti.")
        self.format: Format = format
        self.parts = file_parts(self.names)
        self.threshold = by_name(threshold, self.names, "threshold")
        self.label_map = label_map
        self.temperature = temperature
        self.logits = logits
        self.overlays = overlays

    def outputs(self, engine: Engine) -> list[Tensor]:
        """`(K, S, S)` probabilities of each image."""
        found = output_tensor(engine, 4, len(self.names), "one map a name")
        return list(probabilities(found, temperature=self.temperature, dim=1) if self.logits else found.float())

    def describe(self, image_id: str, output: Tensor, original: Original) -> dict[str, Any]:
        """Sizes and areas; writes the files."""
        box = original.letterbox()
        soft = np.stack([box.mask_to_image(channel) for channel in output.numpy()])
        inside = soft >= np.array(self.threshold, np.float32)[:, None, None]
        if self.label_map:
            inside &= np.where(inside, soft, -1).argmax(0) == np.arange(len(self.names))[:, None, None]
        entry = original.facts()
        if self.label_map:
            values = (inside * np.arange(1, len(self.names) + 1)[:, None, None]).sum(0).astype(np.uint8)
            entry["file"] = self._save(values, f"{file_stem(image_id)}{SUFFIX[self.format]}", original)
        entry["masks"] = [
            {"name": name, **_areas(mask, original)}
            | ({} if self.label_map else self._one(mask, image_id, part, original))
            for name, part, mask in zip(self.names, self.parts, inside, strict=True)
        ]
        if self.overlays:
            self._draw(inside, original, self.folder / "overlays" / f"{file_stem(image_id)}.png")
        return entry

    def settings(self) -> dict[str, Any]:
        """How the masks came about, and what the numbers of a label map mean."""
        found: dict[str, Any] = {"format": self.format, "threshold": dict(zip(self.names, self.threshold))}
        return found | ({"values": {name: i + 1 for i, name in enumerate(self.names)}} if self.label_map else {})

    def _one(self, mask: NDArray[np.bool_], image_id: str, part: str, original: Original) -> dict[str, Any]:
        if self.format == "rle":
            return {"rle": encode_rle(mask)}
        file = f"{file_stem(image_id, part)}{SUFFIX[self.format]}"
        return {"file": self._save(mask.astype(np.uint8) * (255 if self.format == "png" else 1), file, original)}

    def _save(self, values: NDArray[np.uint8], file: str, original: Original) -> str:
        path = self.folder / "masks" / file
        if self.format == "png":
            write_png(values, path)
        else:
            write_nifti(values, path, original.itk_affine, original.spacing)
        return f"masks/{file}"

    def _draw(self, masks: NDArray[np.bool_], original: Original, path: Path) -> None:
        grey = original.content()
        size = (grey.shape[1], grey.shape[0])
        small = [cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST_EXACT) for mask in masks]
        plot_montage([Panel(grey, masks=dict(zip(self.names, small, strict=True)))], path)


def _areas(mask: NDArray[np.bool_], original: Original) -> dict[str, Any]:
    pixels = int(mask.sum())
    return {
        "area_pixels": pixels,
        "area_mm2": None if original.spacing is None else pixels * original.spacing[0] * original.spacing[1],
    }
