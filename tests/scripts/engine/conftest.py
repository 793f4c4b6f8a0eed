"""A trainer small enough to be run, stopped and resumed dozens of times within a second or two."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from ignite.engine import Engine, Events
from monai.data import DataLoader
from monai.engines import SupervisedTrainer
from monai.handlers import LrScheduleHandler
from monai.transforms import Compose, RandGaussianNoised
from torch import nn

from scripts.data.sampling import EpochSampler, StudyDataset
from scripts.engine.history import History
from scripts.engine.state import ResumeAndSave

ROWS, BATCH, EPOCHS = 10, 3, 3
BATCHES = ROWS // BATCH


class MeanLoss(nn.Module):
    """A loss with named terms, as the methods have it."""

    def forward(self, pred: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        value = (pred - target).square().mean()
        self.terms = {"square": value.detach()}
        return value


def make_run(folder: Path, epochs: int = EPOCHS, num_workers: int = 0, **resume_and_save: Any) -> SimpleNamespace:
    """Trainer, network, and the losses by iteration; noise, dropout and momentum make every kind of state count."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 1))
    items = [{"image": torch.randn(4), "label": torch.randn(1)} for _ in range(ROWS)]
    dataset = StudyDataset(items, Compose([RandGaussianNoised("image", prob=1.0)]))
    sampler = EpochSampler(dataset, BATCH, rank=0, world_size=1)
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.05)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 2, gamma=0.8)
    loss, evaluator, losses = MeanLoss(), Engine(lambda engine, batch: None), {}
    saver = ResumeAndSave(folder / "checkpoint.pt", network, sampler, optimizer, schedule, **resume_and_save)
    history = History(folder, loss, evaluator, optimizer)
    trainer = SupervisedTrainer(
        device=torch.device("cpu"),
        max_epochs=epochs,
        train_data_loader=DataLoader(
            dataset, sampler=sampler, batch_size=BATCH, num_workers=num_workers, persistent_workers=num_workers > 0
        ),
        network=network,
        optimizer=optimizer,
        loss_function=loss,
        train_handlers=[saver, LrScheduleHandler(schedule, epoch_level=False, print_lr=False), history],
        decollate=False,
    )
    trainer.add_event_handler(
        Events.ITERATION_COMPLETED,
        lambda engine: losses.update({engine.state.iteration: engine.state.output["loss"].item()}),
    )
    return SimpleNamespace(
        trainer=trainer, network=network, losses=losses, history=history, saver=saver, evaluator=evaluator,
        optimizer=optimizer, path=folder / "checkpoint.pt",
    )  # fmt: skip


@pytest.fixture(scope="session")
def small_run() -> Callable[..., SimpleNamespace]:
    """`small_run(folder, epochs=3, num_workers=0, resume=…, every_minutes=…)`: 3 batches an epoch; see `make_run`."""
    return make_run


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """The run that nothing has disturbed."""
    run = make_run(tmp_path_factory.mktemp("whole"))
    run.trainer.run()
    return run
