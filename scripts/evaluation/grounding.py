"""Phrase grounding: where in the image a finding's prompt fits, scored against boxes that training never saw."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import ignite.distributed as idist
import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from ignite.engine import Engine, Events
from numpy.typing import NDArray
from torch import Tensor, nn

from ..atomic import write_text_atomically, writing
from ..errors import CxrError
from ..figures.overlays import HeatPanel, plot_heat_maps
from ..metrics.pointing import GroundingScore, grounding_scores, point
from ..output_folder import check_folder
from ..radiograph.letterbox import Letterbox
from ..statistics.estimate import MACRO
from ..tables.scores import ScoreRow, print_scores, write_scores
from ..tasks.detection.items import detection_items
from ..tasks.examples import to_grey
from .shared_space import SharedSpace

logger = logging.getLogger(__name__)
CENTRE = "centre of the image"


class CellMaps(nn.Module):
    """A method's image side cell by cell: `(B, 3, H, W)` to unit vectors `(B, h, w, out_dim)` of the shared space.

    Args:
        space: the method's shared space.

    Raises:
        CxrError: the method has no shared space, or no projection of single cells.
    """

    def __init__(self, space: SharedSpace) -> None:
        super().__init__()
        if space.reason:
            raise CxrError(f"No grounding: {space.reason}.")
        if not hasattr(space.method, "project_cells"):
            raise CxrError(f"No grounding: {type(space.method).__name__} projects images as a whole, and no cells.")
        self.method = space.method

    def forward(self, image: Tensor) -> Tensor:
        """See the class."""
        return F.normalize(self.method.project_cells(image).float(), dim=-1)


def grounding_items(
    source: str | Path, names: Sequence[str], protocol: str = "split", view: str | Sequence[str] | None = None
) -> list[dict[str, Any]]:
    """Items with at least one box: of the test patients with `split` (the data set of the pre-training), of all with
    `5-fold` (another one). See `scripts.tasks.detection.detection_items`.

    Raises:
        CxrError: the source has no boxes of these names, or none among these patients.
    """
    if not names:
        raise CxrError("Grounding needs boxes, and this data set has none: add columns boxes and box_labels.")
    items = detection_items(source, names, split="test" if protocol == "split" else None, view=view)
    boxed = [item for item in items if len(item["box"])]
    if not boxed:
        raise CxrError(f"Grounding needs boxes of {', '.join(names)}: none of the {len(items)} images has one.")
    return boxed


class _Example(NamedTuple):
    """A heat map that is drawn: a row of `GroundingReport.table` by its draw, in [0, 1)."""

    draw: float
    panel: HeatPanel


class GroundingReport:
    """Handler for an evaluator whose network is `CellMaps`, and whose batches are lists of items with boxes.

    Each image is compared with the positive prompts of each finding that has a box in it: cosine of every cell, made as
    large as the stored image, inside the part that the radiograph covers. Writes `grounding.json`, `.csv`, `.md`,
    `grounding.parquet` (a row an image and finding) and `pictures/grounding.png` into the folder, and prints the table.

    Args:
        folder: where the files go.
        names: findings, in the order of the boxes' labels.
        space: gives the prompts.
        resamples: of the bootstrap.
        examples: maps that are drawn, at random and not by how good they are.
    """

    def __init__(
        self, folder: str | Path, names: Sequence[str], space: SharedSpace, resamples: int = 1000, examples: int = 12
    ) -> None:
        self.folder = Path(folder)
        self.names = list(names)
        self.space = space
        self.resamples = resamples
        self.examples = examples

    def attach(self, engine: Engine) -> None:
        """Registers on the evaluator."""
        engine.add_event_handler(Events.STARTED, self.start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.add)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.finish)

    def start(self, engine: Engine) -> None:
        """Forgets an earlier pass, looks whether this one's report can be written, and reads the prompts."""
        check_folder(self.folder, "output_dir")
        self._rows: list[dict[str, Any]] = []
        self._drawn: list[_Example] = []
        self._prompts = self.space.project_prompts(self.names)[:, 0]

    def add(self, engine: Engine) -> None:
        """Scores the maps of a batch; only numbers and a few pictures are kept."""
        for item, cells in zip(engine.state.batch, engine.state.output["pred"], strict=True):
            image = torch.as_tensor(item["image"]).as_subclass(Tensor)
            box, label = torch.as_tensor(item["box"]).numpy(), torch.as_tensor(item["label"]).numpy()
            x0, y0, x1, y1 = _content(item, image.shape[-1])
            found = np.unique(label)
            heats = heat_maps(cells.cpu(), self._prompts[found], image.shape[-1])[:, y0:y1, x0:x1]
            for i, heat in zip(found.tolist(), heats, strict=True):
                boxes = box[label == i] - [x0, y0, x0, y0]
                score = point(heat, boxes)
                name = self.names[i]
                self._rows.append(
                    {"image_id": item["image_id"], "patient": item["patient_id"], "finding": name, **score._asdict()}
                )
                draw = _draw(f"{item['image_id']}/{name}")
                if len(self._drawn) < self.examples or draw < self._drawn[-1].draw:
                    square = np.zeros(image.shape[-2:], dtype=np.float32)
                    square[y0:y1, x0:x1] = _scaled(heat)
                    title = f"{name}: {'hit' if score.hit >= 0.5 else 'miss'}, contrast {score.contrast:.2f}"
                    panel = HeatPanel(to_grey(image), square, title, list(box[label == i]), _peak(square))
                    self._drawn = sorted([*self._drawn, _Example(draw, panel)], key=_by_draw)[: self.examples]

    def finish(self, engine: Engine) -> None:
        """Gathers what each rank has seen; scores, prints, writes and draws on rank 0."""
        ranks: Any = idist.all_gather((self._rows, self._drawn))
        if idist.get_rank() != 0:
            return
        table = pd.DataFrame([row for rows, _ in ranks for row in rows])
        table = table.drop_duplicates(["image_id", "finding"]).sort_values(["image_id", "finding"], ignore_index=True)
        # Codes by the order of the images, not the patients' own numbers.
        table["patient"] = pd.factorize(table["patient"])[0]
        scores = grounding_scores(table, table["patient"].to_numpy(), self.resamples)
        rows = grounding_rows(scores, self.space.member)
        with writing(self.folder / "grounding.parquet") as part:
            table.to_parquet(part, index=False)
        images, patients = table["image_id"].nunique(), table["patient"].nunique()
        result = {
            "images": images,
            "patients": patients,
            "prompts": {name: self.space.prompts.of(name).positive for name in self.names},
            "grounding": {self.space.member: {name: asdict(score) for name, score in scores.items()}},
        }
        write_text_atomically(json.dumps(result, indent=1), self.folder / "grounding.json")
        for suffix in ("csv", "md"):
            write_scores(rows, self.folder / f"grounding.{suffix}")
        drawn = sorted((example for _, some in ranks for example in some), key=_by_draw)
        plot_heat_maps(
            [example.panel for example in drawn[: self.examples]],
            self.folder / "pictures" / "grounding.png",
            "Cosine with the finding's prompt, a random sample (+ largest value, □ box)",
            columns=3,
        )
        engine.state.metrics["pointing"] = scores[MACRO].hit.value
        engine.state.metrics["contrast"] = scores[MACRO].contrast.value
        print_scores(rows, f"{len(table)} findings with boxes in {images} images of {patients} patients; [95 %]")


def heat_maps(cells: Tensor, prompts: Tensor, size: int) -> NDArray[np.float32]:
    """Cosines of every cell with each prompt, interpolated to the image: `[p, size, size]`.

    Args:
        cells: unit vectors `(h, w, d)`.
        prompts: unit vectors `(p, d)`.
        size: side of the image.
    """
    cosine = torch.einsum("hwd,pd->phw", cells, prompts)
    large = F.interpolate(cosine[None], (size, size), mode="bilinear", align_corners=False)[0]
    maps: NDArray[np.float32] = large.numpy()
    return maps


def grounding_rows(scores: Mapping[str, GroundingScore], member: str) -> list[ScoreRow]:
    """The table: the mean first, then each finding."""
    rows = []
    for name, found in scores.items():
        title = name if name == MACRO else f"{name} ({found.pairs})"
        pointing = {CENTRE: found.centre, member: found.hit}
        rows.append(ScoreRow(f"pointing game {title}", pointing, found.hit.trivial))
        rows.append(ScoreRow(f"pointing minus centre {title}", {member: found.over_centre}, 0.0))
        rows.append(ScoreRow(f"contrast {title}", {member: found.contrast}, 0.0))
    return rows


def _content(item: Mapping[str, Any], size: int) -> tuple[int, int, int, int]:
    """Where the radiograph lies in its square; all of it where its own size is not known."""
    if "height" not in item or "width" not in item:
        return 0, 0, size, size
    return Letterbox(int(item["height"]), int(item["width"]), size).content


def _draw(name: str) -> float:
    """The same number in [0, 1) for the same name, whatever else is in the pass."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=6).digest()) / 2**48


def _by_draw(example: _Example) -> float:
    return example.draw


def _scaled(heat: NDArray[np.float32]) -> NDArray[np.float32]:
    spread = float(heat.max() - heat.min())
    return (heat - heat.min()) / spread if spread > 0 else np.zeros_like(heat)


def _peak(heat: NDArray[np.float32]) -> tuple[int, int]:
    row, column = np.unravel_index(int(heat.argmax()), heat.shape)
    return int(column), int(row)
