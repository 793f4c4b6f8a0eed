"""Detection: boxes in the pixels of the original image, with their scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from ignite.engine import Engine
from torch import Tensor

from ...errors import CxrError
from ...figures.montage import Panel, plot_montage
from ...metrics.collect import collect_values
from ...names import file_stem
from ...predictions.writer import Original, PredictionWriter


class BoxWriter(PredictionWriter):
    """Writes `predictions.json`: of each image `boxes`, the most certain first, each `xyxy`, `score` and `name`.

    Coordinates are pixels of the original image, x along a row, clipped to it; a box wholly outside it is left out. An
    image without a finding has an empty list. Beside them stand `height`, `width` and `spacing_mm` (row, column; null
    unknown) of the image.

    Args:
        folder, names: see `PredictionWriter`.
        score_threshold: boxes below are left out.
        overlays: also draw each image with its boxes, into `overlays/`.
        **options: see `PredictionWriter`.
    """

    task: ClassVar[str] = "detection"

    def __init__(
        self,
        folder: str,
        names: Sequence[str],
        score_threshold: float = 0.0,
        overlays: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(folder, names, **options)
        self.score_threshold = score_threshold
        self.overlays = overlays

    def outputs(self, engine: Engine) -> list[Mapping[str, Tensor]]:
        """`box` `(n, 4)` xyxy in pixels of the square, `label` and `score` `(n,)` of each image."""
        found = collect_values(engine.state.output, "pred")
        whole = isinstance(found, list) and all(
            isinstance(one, Mapping) and {"box", "label", "score"} <= one.keys() for one in found
        )
        if not whole:
            raise CxrError("Expected box, label and score of each image: use scripts.tasks.detection.DetectionInferer.")
        return [
            {key: one[key].detach().as_subclass(Tensor).cpu() for key in ("box", "label", "score")} for one in found
        ]

    def describe(self, image_id: str, output: Mapping[str, Tensor], original: Original) -> dict[str, Any]:
        """Sizes and boxes; draws the overlay."""
        box = original.letterbox()
        scores, labels = output["score"].float().numpy(), output["label"].numpy()
        if len(labels) and labels.max() >= len(self.names):
            raise CxrError(f"A box has label {labels.max()}, but there are {len(self.names)} names.")
        found = box.boxes_to_image(output["box"].float().numpy())
        found = np.clip(found, 0, [original.width, original.height] * 2)
        # One that lay on the letterbox's black border has no area left.
        kept = (scores >= self.score_threshold) & (found[:, 2:] > found[:, :2]).all(axis=1)
        order = [i for i in np.argsort(-scores, kind="stable") if kept[i]]
        boxes = [
            {"xyxy": found[i].round(2).tolist(), "score": float(scores[i]), "name": self.names[labels[i]]}
            for i in order
        ]
        if self.overlays:
            x0, y0, _, _ = box.content
            panel = Panel(
                original.content(),
                title=", ".join(f"{one['name']} {one['score']:.2f}" for one in boxes[:6]),
                boxes=[value - [x0, y0, x0, y0] for value in box.boxes_to_store(found[order])],
                box_labels=[one["name"] for one in boxes],
            )
            plot_montage([panel], self.folder / "overlays" / f"{file_stem(image_id)}.png")
        return {**original.facts(), "boxes": boxes}

    def settings(self) -> dict[str, Any]:
        """The threshold."""
        return {"score_threshold": self.score_threshold}
