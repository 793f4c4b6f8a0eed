"""The one number of each task, against values worked out by hand and against scikit-learn."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from scripts.errors import CxrError
from scripts.statistics.draws import Draws
from scripts.tasks.classification.task import CLASSIFICATION
from scripts.tasks.detection.task import DETECTION
from scripts.tasks.registry import TASKS
from scripts.tasks.segmentation.task import SEGMENTATION

EVERY = Draws.once(4)


def identity(n: int, split: str = "test") -> dict[str, list]:
    return {"image_id": [f"i{k}" for k in range(n)], "patient": list(range(n)), "split": [split] * n}


@pytest.fixture
def findings():
    """Two findings; the third has no positive."""
    return pd.DataFrame(
        {
            **identity(4),
            **{"logit_a": [0.1, 0.4, 0.35, 0.8], "label_a": [0.0, 0, 1, 1]},
            **{"logit_b": [3.0, 2, 1, 0], "label_b": [1.0, 1, np.nan, 0]},
            **{"logit_c": [3.0, 2, 1, 0], "label_c": [0.0, 0, 0, 0]},
        }
    )


@pytest.fixture
def masks():
    """Dice of lung: 2*6/(8+8) = .75, 2*2/(4+6) = .4, an empty one that is right, an unknown one."""
    return pd.DataFrame(
        {
            **identity(4),
            **{"tp_lung": [6.0, 2, 0, np.nan], "pred_lung": [8.0, 4, 0, np.nan], "true_lung": [8.0, 6, 0, np.nan]},
        }
    )


@pytest.fixture
def boxes():
    """Class 0: found with a score above the false alarm's; class 1: missed; class 2: nothing there."""
    square = [0.0, 0.0, 10.0, 10.0]
    return pd.DataFrame(
        {
            **identity(4),
            "boxes": [[square], [[50.0, 50.0, 60.0, 60.0]], [], []],
            "scores": [[0.9], [0.4], [], []],
            "classes": [[0], [0], [], []],
            "true_boxes": [[square], [], [square], []],
            "true_classes": [[0], [], [1], []],
        }
    )


def test_classification_is_the_mean_auroc_of_what_is_known(findings):
    by_sklearn = np.mean([roc_auc_score([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]), roc_auc_score([1, 1, 0], [3, 2, 0])])
    assert CLASSIFICATION.class_scores(findings, ["a", "b"], EVERY).mean() == pytest.approx(by_sklearn)
    assert CLASSIFICATION.unscored(findings, ["a", "b", "c"]) == {"c": "no positives"}


def test_segmentation_is_the_mean_dice_of_images_with_something_to_find(masks):
    assert SEGMENTATION.class_scores(masks, ["lung"], EVERY) == pytest.approx(np.array([[(0.75 + 0.4) / 2]]))
    drawn = Draws.of_weights([[3.0, 1, 5, 2]])
    assert SEGMENTATION.class_scores(masks, ["lung"], drawn) == pytest.approx(np.array([[(3 * 0.75 + 0.4) / 4]]))


def test_detection_averages_over_the_names_that_are_asked_for(boxes):
    names = ["lung", "nodule", "mass"]
    assert DETECTION.class_scores(boxes, names, EVERY, only=["lung"]).tolist() == [[pytest.approx(1.0)]]
    assert DETECTION.class_scores(boxes, names, EVERY, only=["nodule"]).tolist() == [[0.0]]
    assert DETECTION.class_scores(boxes, names, EVERY, only=["nodule", "lung"])[:, 0] == pytest.approx([0.0, 1.0])
    assert DETECTION.unscored(boxes, names) == {"mass": "no box"}


@pytest.mark.parametrize(("task", "level"), [("classification", 0.5), ("segmentation", 0.0), ("detection", 1 / 4)])
def test_trivial_level(task, level, findings, masks, boxes):
    """Each class's template is right on one of four images, and all four have the same score: precision 1/4."""
    table = {"classification": findings, "segmentation": masks, "detection": boxes}[task]
    names = {"classification": ["a", "b"], "segmentation": ["lung"], "detection": ["lung", "nodule"]}[task]
    answer = TASKS[task].trivial_answer(table, names)
    assert TASKS[task].class_scores(answer, names, EVERY).mean() == pytest.approx(level)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([], EVERY), "classification: no name is left"),
        ((["a"], Draws.once(3)), "draws of 3 images for the 4"),
    ],
)
def test_what_cannot_be_scored_is_said(arguments, message, findings):
    with pytest.raises(CxrError, match=message):
        CLASSIFICATION.class_scores(findings, *arguments)
