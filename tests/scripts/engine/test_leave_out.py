"""An unreadable image of a validation is in no score, is counted, and holds up nobody."""

from __future__ import annotations

from typing import Any

import ignite.distributed as idist
import pytest
import torch
from ignite.engine import Engine
from monai.data import DataLoader
from monai.data.utils import no_collation
from monai.engines import SupervisedEvaluator
from monai.transforms import Compose, Lambdad
from torch import nn

from scripts.data.sampling import StudyDataset
from scripts.engine.leave_out import LeaveOut, left_out_note, take
from scripts.metrics.validation_loss import ValidationLoss
from scripts.tasks.classification.metric import ClassificationScores
from scripts.tasks.detection.batch import PrepareBoxes
from scripts.tasks.detection.metric import DetectionScores
from scripts.tasks.segmentation.metric import SegmentationScores

BROKEN = (1, 2, 3, 6)  # with batches of two: half a batch, a whole one, half a batch
LABELS = torch.tensor([1.0, 0, 1, 0, 0, 1, 1, 0])


def read(value: torch.Tensor) -> torch.Tensor:
    if int(value.flatten()[0]) in BROKEN:
        raise ValueError("cut off")
    return value


def dataset(broken: bool = True, **target: Any) -> StudyDataset:
    """Eight images, rows 10 to 17 of a table, the broken ones unreadable, or absent from the start."""
    items = [
        {"image": torch.full((1, 2, 2), float(i)), "image_id": str(i), "row": 10 + i}
        | {key: values[i] for key, values in target.items()}
        for i in range(8)
    ]
    items = items if broken else [item for i, item in enumerate(items) if i not in BROKEN]
    return StudyDataset(items, Compose([Lambdad("image", read)]), unreadable="leave_out" if broken else "raise")


class Pixel(nn.Module):
    """`label` logits that can be told from the image, of any shape."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape, self.calls = shape, 0

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        return torch.sin(image[:, 0, 0, 0] * 2).reshape(-1, *[1] * len(self.shape)).expand(-1, *self.shape)


def boxes(image: torch.Tensor, network: nn.Module) -> list[dict[str, torch.Tensor]]:
    one = {"box": torch.tensor([[0.0, 0, 4, 4]]), "label": torch.tensor([0])}
    return [one | {"score": score.sigmoid().reshape(1)} for score in network(image)]


def scores(data: StudyDataset, shape: tuple[int, ...], metrics: dict[str, Any], **more: Any) -> SupervisedEvaluator:
    evaluator = SupervisedEvaluator(
        device=torch.device("cpu"),
        val_data_loader=DataLoader(data, batch_size=2, num_workers=0, **more.pop("loader", {})),
        network=Pixel(shape),
        key_val_metric=metrics,
        val_handlers=[LeaveOut(data)] if data.unreadable == "leave_out" else [],
        decollate=False,
        **more,
    )
    evaluator.run()
    return evaluator


def masks() -> torch.Tensor:
    return LABELS.reshape(8, 1, 1, 1).expand(8, 1, 2, 2) * torch.tensor([[1.0, 0], [1, 1]])


TASKS = {
    "classification": lambda data: scores(
        data,
        (1,),
        {"auroc": ClassificationScores(["a"]), "loss": ValidationLoss(nn.BCEWithLogitsLoss())},
    ),
    "segmentation": lambda data: scores(
        data, (1, 2, 2), {"dice": SegmentationScores(["a"]), "loss": ValidationLoss(nn.BCEWithLogitsLoss())}
    ),
    "detection": lambda data: scores(
        data,
        (1,),
        {"map_40_75": DetectionScores(["a"])},
        prepare_batch=PrepareBoxes(),
        inferer=boxes,
        loader={"collate_fn": no_collation},
    ),
}
TARGETS: dict[str, dict[str, Any]] = {
    "classification": {"label": LABELS[:, None]},
    "segmentation": {"label": masks()},
    "detection": {
        "box": [torch.tensor([[0.0, 0, 4, 4]])[: int(label)] for label in LABELS],
        "label": [torch.zeros(int(label), dtype=torch.long) for label in LABELS],
    },
}


@pytest.mark.parametrize("task", TASKS)
def test_the_scores_are_those_of_a_list_without_them(task: str, caplog: pytest.LogCaptureFixture) -> None:
    data = dataset(**TARGETS[task])
    evaluator = TASKS[task](data)
    expected = TASKS[task](dataset(broken=False, **TARGETS[task])).state.metrics
    assert expected
    assert evaluator.state.metrics.pop("left_out") == 4
    assert evaluator.state.metrics == pytest.approx(expected)
    assert evaluator.network.calls == 4  # also for the batch of which nothing is left: other ranks wait for it
    assert "Row 11 is unreadable and left out of validation: cut off" in caplog.text
    note = "4 of 8 images cannot be read and are in no score: rows 11, 12, 13, 16 of the table."
    assert left_out_note(data) == note
    assert caplog.text.count(note) == 1
    evaluator.run()  # the next epoch: the same rows, and nothing is said again
    assert evaluator.state.metrics.pop("left_out") == 4
    assert evaluator.state.metrics == pytest.approx(expected)
    assert caplog.text.count("Row 11") == caplog.text.count(note) == 1


def test_an_image_that_comes_back_stays_out() -> None:
    data = dataset(**TARGETS["classification"])
    evaluator = TASKS["classification"](data)
    first = dict(evaluator.state.metrics)
    data.transform = Compose([])
    evaluator.run()
    assert evaluator.state.metrics == first


def test_without_an_unreadable_image_nothing_is_counted() -> None:
    data = StudyDataset([{"image": torch.zeros(1, 2, 2), "label": torch.ones(1)}] * 3, unreadable="leave_out")
    evaluator = scores(data, (1,), {"loss": ValidationLoss(nn.BCEWithLogitsLoss())})
    assert evaluator.state.metrics.keys() == {"loss"}
    assert left_out_note(data) == ""


def test_every_rank_counts_those_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    data = dataset(**TARGETS["classification"])
    data.left_out = {1: "cut off"}
    monkeypatch.setattr(idist, "get_world_size", lambda: 2)
    monkeypatch.setattr(idist, "all_gather", lambda found: [found, {6: "cut off"}])
    engine = Engine(lambda engine, batch: None)
    engine.state.metrics = {}
    LeaveOut(data).count(engine)
    assert engine.state.metrics == {"left_out": 2}
    assert data.left_out == {1: "cut off", 6: "cut off"}


def test_rows_of_anything_a_batch_holds() -> None:
    batch = {
        "a": torch.arange(6).reshape(3, 2),
        "b": ["x", "y", "z"],
        "c": {"d": torch.arange(3), "scale": torch.tensor(2)},
    }
    found = take(batch, [0, 2], 3)
    assert found["a"].tolist() == [[0, 1], [4, 5]]
    assert found["b"] == ["x", "z"]
    assert found["c"]["d"].tolist() == [0, 2]
    assert found["c"]["scale"] == 2
    assert take([{"a": 1}, {"a": 2}, {"a": 3}], [1], 3) == [{"a": 2}]
    assert take(batch, [], 3)["a"].shape == (0, 2)
