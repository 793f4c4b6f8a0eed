"""The pictures of a training run: its first batch, and its curves when it ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ignite.distributed as idist
import torch
from ignite.engine import Engine, Events
from torch import Tensor

from ..figures.learning_curves import plot_learning_curves
from ..figures.montage import Panel, plot_montage
from ..figures.overlays import box_panel, mask_panel
from ..figures.style import short
from ..figures.training import GEOMETRY, plot_geometry, plot_training
from ..metrics.collect import collect_values
from .history import History
from .state import parts


class TrainingPictures:
    """Handler for the trainer that draws the first batch as the network saw it, and the curves of the history.

    In pre-training these are the losses and the latent geometry; in a task the losses and the validation scores, and
    the images carry what they are labelled with: findings, masks or boxes.

    Args:
        folder: where `training.png`, `geometry.png` and `first_batch.png` go.
        images: of the first batch that are shown.
        title: of the curves.
        names: of the classes in the batch's `label`; none in pre-training.
        main: the validation score that chooses the weights.
    """

    def __init__(
        self,
        folder: str | Path,
        images: int = 12,
        title: str = "Pre-training",
        names: Sequence[str] = (),
        main: str = "",
    ) -> None:
        self.folder = Path(folder)
        self.images = images
        self.title = title
        self.names = list(names)
        self.main = main

    def attach(self, engine: Engine) -> None:
        """Registers on the trainer, rank 0 only."""
        if idist.get_rank() == 0:
            engine.add_event_handler(Events.ITERATION_COMPLETED(once=1), self.draw_batch)
            engine.add_event_handler(Events.COMPLETED, self.draw_curves)

    def draw_batch(self, engine: Engine) -> None:
        """The first batch after augmentation: what a wrong window, polarity, rotation or mask is seen in."""
        images = collect_values(engine.state.output, "image")
        if images is None or images.ndim != 4:  # cached features
            return
        grey = images[: self.images, 0].float()
        low, high = torch.aminmax(grey.flatten(1), dim=1)
        scaled = (grey - low[:, None, None]) / (high - low).clamp(min=1e-6)[:, None, None]
        labels = collect_values(engine.state.output, "label") if self.names else None
        panels = [self._panel(image.numpy(), None if labels is None else labels[i]) for i, image in enumerate(scaled)]
        plot_montage(panels, self.folder / "first_batch.png", "First batch, as the network sees it")

    def draw_curves(self, engine: Engine) -> None:
        """Losses and scores over the epochs."""
        history = parts(engine).get("history")
        if not isinstance(history, History) or not history.rows:
            return
        if any(f"val_{name}" in row for row in history.rows for name in GEOMETRY):
            plot_training(history.rows, self.folder / "training.png", self.title)
            plot_geometry(history.rows, self.folder / "geometry.png")
        else:
            plot_learning_curves(history.rows, self.folder / "training.png", self.title, self.main)

    def _panel(self, grey: Any, label: Any) -> Panel:
        """An image with its boxes (a dict), masks `(K, S, S)`, or findings `(C,)`."""
        if isinstance(label, Mapping):
            return box_panel(grey, self.names, (label["box"].cpu(), label["label"].cpu()))
        if isinstance(label, Tensor) and label.ndim == 3:
            return mask_panel(grey, self.names, label)
        if isinstance(label, Tensor) and label.shape == (len(self.names),):
            found = [name for name, value in zip(self.names, label.tolist(), strict=True) if value == 1]
            return Panel(grey, short(", ".join(found) or "no finding", 34))
        return Panel(grey)
