"""What validation cannot score is told before the first epoch, with the findings' names."""

from __future__ import annotations

import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from ignite.engine import Engine

from scripts.data.masks import LoadMasksd
from scripts.engine.validation import CheckValidation
from scripts.errors import CxrError
from scripts.tasks.classification.validation import CheckLabels
from scripts.tasks.detection.validation import CheckBoxes
from scripts.tasks.segmentation.validation import CheckMasks

NAN = float("nan")
Items = list[dict[str, Any]]


def findings(*rows: list[float]) -> Items:
    return [{"label": np.array(row, dtype=np.float32)} for row in rows]


def boxes(*labels: list[int]) -> Items:
    return [{"box": np.zeros((len(some), 4), np.float32), "label": np.array(some, np.int64)} for some in labels]


@pytest.fixture
def masks(tmp_path: Path) -> Items:
    """The first name's only mask that is not empty is the last one; the second has an empty one, and none."""
    cv2.imwrite(str(tmp_path / "empty.png"), np.zeros((8, 8), np.uint8))
    cv2.imwrite(str(tmp_path / "full.png"), np.full((8, 8), 255, np.uint8))
    empty, full = (str(tmp_path / f"{name}.png") for name in ("empty", "full"))
    return [{"label": [empty, ""]}, {"label": ["", "-1"], "height": 8, "width": 8}, {"label": [full, empty]}]


def check(items: Items, metric: str, names: str = "ab", **more: Any) -> CheckValidation:
    kind = CheckMasks if "load" in more else CheckBoxes if items and "box" in items[0] else CheckLabels
    return kind(SimpleNamespace(data=items), list(names), metric, **more)


@pytest.mark.parametrize(
    ("items", "metric", "told"),
    [
        (findings([0, 1], [0, 1], [NAN, 1]), "auroc", r"a \(no positives\), b \(no negatives\)"),
        (findings([0, 1], [0, 0]), "auroc_a", r"cannot score auroc_a.*: a \(no positives\)"),
        (findings([NAN, -1], [NAN, -1]), "auprc", r"a \(no known labels\), b \(no known labels\)"),
        (boxes([], [], []), "map_40_75", r"The 3 validation images .* a \(no box\), b \(no box\)"),
        (boxes([0], []), "map_40_75_b", r"b \(no box\)"),
    ],
)
def test_a_run_whose_weights_could_not_be_chosen_ends_before_the_first_epoch(
    items: Items, metric: str, told: str
) -> None:
    epochs: list[int] = []
    trainer = Engine(lambda engine, batch: epochs.append(engine.state.epoch))
    check(items, metric).attach(trainer)
    with pytest.raises(CxrError, match=told):
        trainer.run([0], max_epochs=2)
    assert epochs == []


@pytest.mark.parametrize(
    ("items", "metric", "told"),
    [
        (findings([0, 1], [0, 0]), "auroc", "a (no positives)"),
        (findings([0, 1], [0, 1]), "negative_loss", "a (no positives), b (no negatives)"),  # a loss can be had of one
        (findings([0, 1], [0, 1]), "accuracy", "a (no positives), b (no negatives)"),
        (boxes([1, 1], [], [1]), "map_40_75", "a (no box)"),
    ],
)
def test_what_is_left_out_of_the_means_is_told(
    items: Items, metric: str, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "scripts.engine.validation"):
        check(items, metric).start()
    assert [record.getMessage() for record in caplog.records] == [
        f"The validation images cannot score {told}: left out of its means."
    ]


@pytest.mark.parametrize(
    "items",
    [findings([0, 1], [1, 0]), boxes([0], [1]), [{"image": "host.png"}], []],
    ids=["findings", "boxes", "a host's", "none"],
)
def test_where_nothing_is_missing_nothing_is_said(items: Items, caplog: pytest.LogCaptureFixture) -> None:
    check(items, "auroc").start()
    assert not caplog.records


def test_masks_are_read_until_one_is_not_empty(masks: Items) -> None:
    load = [LoadMasksd(keys="label", size=8)]
    assert check(masks, "dice_positives", load=load).unscored() == {"b": "no mask that is not empty"}
    with pytest.raises(CxrError, match=r"a \(no mask that is not empty\), b .*another score \(--stop_on x\)"):
        check(masks[:2], "dice_positives", load=load, instead="--stop_on x").start()
    check(masks[:2], "dice_per_image", load=load).start()
    lost = [{"label": ["gone.png", ""], "height": 8, "width": 8}, *masks]  # told of where it is scored
    assert check(lost, "dice_positives", load=load).unscored() == {"b": "no mask that is not empty"}


def test_no_more_masks_are_read_than_it_takes(masks: Items) -> None:
    read: Items = []

    def load(item: Any) -> Any:
        read.append(item)
        return LoadMasksd(keys="label", size=8)(item)

    check([{"label": masks[2]["label"][0]}] * 5, "dice_positives", "a", load=[load]).start()  # a string is one mask
    assert len(read) == 1
