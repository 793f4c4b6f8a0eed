"""What every task's inference leaves: `predictions.json`, an entry an image, unreadable images included."""

from __future__ import annotations

import json
import logging
import math
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import ignite.distributed as idist
import numpy as np
import torch
from ignite.engine import Engine, Events
from monai.data import MetaTensor, decollate_batch
from numpy.typing import NDArray

from ..atomic import write_text_atomically
from ..errors import CxrError
from ..metrics.collect import collect_values
from ..output_folder import check_folder
from ..radiograph.letterbox import Letterbox
from .identity import ImageName, ImageNames, model_identity

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Original:
    """The image that the network saw, and what it was before the letterbox.

    Attributes:
        height, width: of the original, pixels; 0 = unknown.
        spacing: row and column distance of its pixels in mm; None = unknown.
        itk_affine: `[4, 4]`, from (column, row, 0, 1) to the point where ITK puts that pixel; None = unknown.
        pixels: `[S, S]`, what the network saw, by its own range in [0, 1].
    """

    height: int
    width: int
    spacing: tuple[float, float] | None
    itk_affine: NDArray[np.float64] | None
    pixels: NDArray[np.float32]

    def facts(self) -> dict[str, Any]:
        """`height`, `width` and `spacing_mm` (row, column; None unknown) for an entry."""
        spacing = None if self.spacing is None else list(self.spacing)
        return {"height": self.height, "width": self.width, "spacing_mm": spacing}

    def letterbox(self) -> Letterbox:
        """From original pixels to those of the network's square, and back.

        Raises:
            CxrError: the size of the original is not known.
        """
        if not (self.height and self.width):
            raise CxrError(
                "The size of an original image is not known, so a prediction cannot be given in its pixels: "
                "items of stored images need height and width."
            )
        return Letterbox(self.height, self.width, self.pixels.shape[-1])

    def content(self) -> NDArray[np.float32]:
        """`pixels` without the letterbox's black borders."""
        x0, y0, x1, y1 = self.letterbox().content
        return self.pixels[y0:y1, x0:x1]


class PredictionWriter(ABC):
    """Handler for an evaluator: writes `predictions.json` when the run completes, of all ranks, in the order of images.

    Images are named as `ImageNames` says; of raw files, `StandardizeRadiographd` adds size and spacing to the items.
    A batch may carry `error`: a text that says why an image could not be read; its entry then holds nothing else, and
    the run goes on. The evaluator may decollate or not.

    Args:
        folder: where the files go.
        names: findings, masks or boxes, in the order of the network's outputs.
        checkpoint: weights that the network was loaded from; their SHA-256 goes into the file.
        identity: whatever else names the model (encoder, image size); goes into the file.
        root: folder to which file names are relative.
        file_names: False leaves them out, and hides them in ids; see `ImageNames`.
    """

    task: ClassVar[str]

    def __init__(
        self,
        folder: str | Path,
        names: Sequence[str],
        checkpoint: str | Path | None = None,
        identity: Mapping[str, Any] | None = None,
        root: str | Path | None = None,
        file_names: bool = True,
    ) -> None:
        self.folder = Path(folder)
        self.names = list(names)
        self.checkpoint = checkpoint
        self.identity = dict(identity or {})
        self.image_names = ImageNames(root, file_names)
        self.rows: list[dict[str, Any]] = []

    @abstractmethod
    def outputs(self, engine: Engine) -> Sequence[Any]:
        """The network's outputs of a batch, one an image, on the CPU.

        Raises:
            CxrError: they are not what this task's network gives.
        """

    @abstractmethod
    def describe(self, image_id: str, output: Any, original: Original) -> dict[str, Any]:
        """The entry of one readable image, as JSON takes it; files for it are written on the way."""

    def settings(self) -> dict[str, Any]:
        """What a reader must know about the numbers, as temperature and thresholds; goes into the file."""
        return {}

    def attach(self, engine: Engine) -> None:
        """Registers on the evaluator."""
        engine.add_event_handler(Events.STARTED, self.start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.add)
        engine.add_event_handler(Events.COMPLETED, self.finish)

    def start(self, engine: Engine) -> None:
        """Forgets an earlier run, and looks whether this one's results can be written."""
        self.rows = []
        check_folder(self.folder, "output_dir")
        self.image_names.start()

    def add(self, engine: Engine) -> None:
        """Keeps the entries of one batch."""
        outputs = self.outputs(engine)
        batch, count = engine.state.batch, len(outputs)
        errors = collect_values(batch, "error") or [""] * count
        before = originals(batch, count)
        for i, name in enumerate(self.image_names.of(batch, count)):
            error = str(errors[i] or "") or ("" if _is_finite(outputs[i]) else "the network's output is not finite")
            entry = {} if error else self.describe(name.image_id, outputs[i], before[i])
            self.rows.append(_named(name) | entry | {"error": error or None})

    def finish(self, engine: Engine) -> None:
        """Writes what all ranks have seen, and logs the counts by reason.

        Raises:
            CxrError: there was no image, or none could be read (the file then holds the reasons).
        """
        ranks = idist.all_gather(self.rows) if idist.get_world_size() > 1 else [self.rows]
        if idist.get_rank() != 0:
            return
        # A distributed sampler repeats images to give every rank the same number.
        rows = list({row["image_id"]: row for rank in ranks for row in rank}.values())  # type: ignore[union-attr]
        if not rows:
            raise CxrError(f"There was no image to predict; nothing is written to {self.folder}.")
        self.write(rows)
        reasons = Counter(row["error"] for row in rows if row["error"])
        logger.info("%d predictions in %s", len(rows) - reasons.total(), self.folder)
        for reason, count in reasons.most_common():
            logger.warning("%d images without prediction: %s", count, reason)
        if reasons.total() == len(rows):
            raise CxrError(f"None of the {len(rows)} images could be read; {self.folder}/predictions.json says why.")

    def write(self, rows: list[dict[str, Any]]) -> None:
        """`predictions.json`: task, model, names, settings, counts, and the entries."""
        reasons = Counter(row["error"] for row in rows if row["error"])
        content = {
            "task": self.task,
            "model": model_identity(self.identity, self.checkpoint),
            "names": self.names,
            **self.settings(),
            "counts": {"images": len(rows), "predicted": len(rows) - reasons.total(), "unreadable": dict(reasons)},
            "images": rows,
        }
        write_text_atomically(json.dumps(content, indent=1, allow_nan=False), self.folder / "predictions.json")


def output_tensor(engine: Engine, ndim: int, channels: int, what: str) -> torch.Tensor:
    """`engine.state.output["pred"]` of a batch, `[B, channels, …]` with `ndim` dimensions.

    Raises:
        CxrError: it has another shape.
    """
    found = collect_values(engine.state.output, "pred")
    if not isinstance(found, torch.Tensor) or found.ndim != ndim or found.shape[1] != channels:
        shape = tuple(found.shape) if isinstance(found, torch.Tensor) else type(found).__name__
        raise CxrError(f"Expected {what} an image for {channels} names, got {shape}. Are `names` those of the network?")
    return found


def by_name(value: float | Sequence[float] | Mapping[str, float], names: Sequence[str], what: str) -> list[float]:
    """One number a name, from one for all, a list, or a mapping by name.

    Raises:
        CxrError: a list of another length, or a mapping without one of the names.
    """
    if isinstance(value, Mapping):
        if missing := [name for name in names if name not in value]:
            raise CxrError(f"{what} has no value for {', '.join(missing)}; it has {', '.join(value) or 'none'}.")
        return [float(value[name]) for name in names]
    if isinstance(value, Sequence):
        if len(value) != len(names):
            raise CxrError(f"{what} has {len(value)} values for {len(names)} names.")
        return [float(one) for one in value]
    return [float(value)] * len(names)


def _named(name: ImageName) -> dict[str, Any]:
    return {"image_id": name.image_id, "image": name.file}


def originals(batch: Any, count: int) -> list[Original]:
    """What each image of a batch was, from the items' own facts or the images' meta."""
    images = _images(batch)
    keys = ("height", "width", "spacing", "itk_affine")
    heights, widths, spacings, affines = (_values(batch, key, count) for key in keys)
    found = []
    for i, image in enumerate(images):
        height, width, spacing, affine = heights[i], widths[i], spacings[i], affines[i]
        meta = image.meta if isinstance(image, MetaTensor) else {}
        if not (height and width) and "original_size" in meta:
            height, width = meta["original_size"]
            spacing, affine = meta.get("spacing"), meta.get("itk_affine")
        grey = image.detach().as_subclass(torch.Tensor)[0].float().cpu()
        low, high = torch.aminmax(grey)
        pixels = ((grey - low) / (high - low).clamp(min=1e-6)).numpy()
        found.append(Original(int(height or 0), int(width or 0), _known(spacing), _finite(affine), pixels))
    return found


def _images(batch: Any) -> list[torch.Tensor]:
    if isinstance(batch, Mapping):
        images = batch["image"]
        if not isinstance(images, MetaTensor):
            return list(images)
        return list(decollate_batch(images))
    return [item["image"] for item in batch]


def _values(batch: Any, key: str, count: int) -> Sequence[Any]:
    found = collect_values(batch, key)
    return [None] * count if found is None else found


def _known(spacing: Any) -> tuple[float, float] | None:
    if spacing is None:
        return None
    row, column = (float(distance) for distance in spacing)
    return (row, column) if math.isfinite(row) and math.isfinite(column) and min(row, column) > 0 else None


def _finite(affine: Any) -> NDArray[np.float64] | None:
    found = None if affine is None else np.asarray(affine, np.float64)
    return found if found is not None and np.isfinite(found).all() else None


def _is_finite(output: Any) -> bool:
    tensors = output.values() if isinstance(output, Mapping) else [output]
    return all(bool(torch.isfinite(torch.as_tensor(tensor)).all()) for tensor in tensors)
