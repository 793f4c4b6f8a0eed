"""The pictures of a training run, drawn when it ends."""

from __future__ import annotations

from pathlib import Path

import ignite.distributed as idist
import torch
from ignite.engine import Engine, Events

from scripts.engine.history import History
from scripts.engine.state import parts
from scripts.output.figures import plot_geometry, plot_training
from scripts.output.montage import Panel, plot_montage


class TrainingPictures:
    """Handler for the trainer that draws the losses, the latent geometry, and the first batch as the network saw it.

    Args:
        folder: where `training.png`, `geometry.png` and `first_batch.png` go.
        images: of the first batch that are shown.
    """

    def __init__(self, folder: str | Path, images: int = 12) -> None:
        self.folder = Path(folder)
        self.images = images

    def attach(self, engine: Engine) -> None:
        """Registers on the trainer, rank 0 only."""
        if idist.get_rank() == 0:
            engine.add_event_handler(Events.ITERATION_COMPLETED(once=1), self.draw_batch)
            engine.add_event_handler(Events.COMPLETED, self.draw_curves)

    def draw_batch(self, engine: Engine) -> None:
        """The first batch after augmentation: what a wrong window, polarity or rotation is seen in."""
        grey = engine.state.output["image"][: self.images, 0].detach().float().cpu()
        low, high = torch.aminmax(grey.flatten(1), dim=1)
        scaled = (grey - low[:, None, None]) / (high - low).clamp(min=1e-6)[:, None, None]
        panels = [Panel(image.numpy()) for image in scaled]
        plot_montage(panels, self.folder / "first_batch.png", "First batch, as the network sees it")

    def draw_curves(self, engine: Engine) -> None:
        """Losses and geometry over the epochs."""
        history = parts(engine).get("history")
        if isinstance(history, History) and history.rows:
            plot_training(history.rows, self.folder / "training.png", "Pre-training")
            plot_geometry(history.rows, self.folder / "geometry.png")
