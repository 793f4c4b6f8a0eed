"""What a run draws while it trains, for pre-training and each task."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from ignite.engine import Engine

from scripts.engine.history import History
from scripts.engine.state import add_part
from scripts.engine.training_pictures import TrainingPictures

NAMES = ["Edema", "Nodule"]
BOXES = {"box": torch.tensor([[2.0, 2.0, 8.0, 8.0]]), "label": torch.tensor([1])}
NO_BOXES = {"box": torch.zeros(0, 4), "label": torch.zeros(0, dtype=torch.int64)}
MASKS = torch.stack([torch.zeros(2, 16, 16), torch.ones(2, 16, 16).index_fill(1, torch.tensor([0]), 0)])
LABELS: dict[str, Any] = {
    "findings": torch.tensor([[1.0, float("nan")], [0.0, 0.0]]),
    "masks": MASKS,
    "boxes": [BOXES, NO_BOXES],
}


def train(folder: Path, output: Any, row: dict[str, float], **settings: Any) -> list[str]:
    engine = Engine(lambda engine, batch: output)
    history = History(folder, torch.nn.Module(), Engine(lambda e, b: None), torch.optim.SGD([torch.zeros(1)]))
    history.rows = [{"epoch": 1.0, "loss": 0.5, "learning_rate": 1e-3} | row]
    add_part(engine, "history", history)
    TrainingPictures(folder, **settings).attach(engine)
    engine.run([0, 0], max_epochs=1)
    return sorted(path.name for path in folder.glob("*.png"))


@pytest.mark.parametrize("kind", LABELS)
@pytest.mark.parametrize("decollated", [False, True])
def test_the_first_batch_shows_what_it_is_labelled_with(
    tmp_path: Path, drawn: list[Any], kind: str, decollated: bool
) -> None:
    images, label = torch.rand(2, 3, 16, 16), LABELS[kind]
    output: Any = {"image": images, "label": label}
    if decollated:
        output = [{"image": images[i], "label": label[i]} for i in range(2)]
    found = train(tmp_path, output, {"val_auroc": 0.8}, names=NAMES, title="A task", main="auroc")
    assert found == ["first_batch.png", "training.png"]
    first = drawn[0]
    if kind == "findings":
        assert [axes.get_title(loc="left") for axes in first.axes] == ["Edema", "no finding"]
    else:
        drawn_here = [len(axes.patches) + len(axes.collections) for axes in first.axes]
        assert drawn_here == ([0, 2] if kind == "masks" else [1, 0])
        names = [text.get_text() for text in first.legends[0].get_texts()]
        assert names == (NAMES if kind == "masks" else ["Nodule (box)"])
    assert drawn[1].axes[1].get_title(loc="right") == "best auroc 0.800 at epoch 1"


def test_pre_training_draws_its_geometry(tmp_path: Path) -> None:
    output = {"image": torch.rand(2, 3, 16, 16), "label": torch.rand(2, 8)}
    found = train(tmp_path, output, {"val_effective_rank": 9.0})
    assert found == ["first_batch.png", "geometry.png", "training.png"]


def test_cached_features_have_no_picture(tmp_path: Path) -> None:
    output = {"image": torch.rand(2, 8), "label": LABELS["findings"]}
    assert train(tmp_path, output, {}, names=NAMES) == ["training.png"]
