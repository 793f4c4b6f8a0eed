"""A classifier's scores and the validation loss inside MONAI's evaluator."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from monai.data import DataLoader, Dataset
from monai.engines import SupervisedEvaluator
from sklearn.metrics import accuracy_score, average_precision_score, roc_auc_score

from scripts.errors import CxrError
from scripts.metrics.validation_loss import ValidationLoss
from scripts.tasks.classification.metric import ClassificationScores


class MeanLoss(torch.nn.Module):
    """Stands for a task's loss."""

    def forward(self, logits, label):
        return F.binary_cross_entropy_with_logits(logits, label)


def items(n=30, classes=3, multiclass=False):
    """The network is the identity: each image is its own logits."""
    generator = torch.Generator().manual_seed(0)
    truth = torch.randint(0, 2, (n, classes), generator=generator).float()
    if multiclass:
        truth = torch.eye(classes)[torch.randint(0, classes, (n,), generator=generator)]
    logits = torch.randn(n, classes, generator=generator) + truth
    return [{"image": logits[i], "label": truth[i], "image_id": str(i)} for i in range(n)]


def run(data, metric, decollate=False, **more):
    engine = SupervisedEvaluator(
        device=torch.device("cpu"),
        val_data_loader=DataLoader(Dataset(data), batch_size=8, num_workers=0),
        network=torch.nn.Identity(),
        key_val_metric={"key": metric},
        additional_metrics=more,
        decollate=decollate,
    )
    engine.run()
    return engine


def arrays(data):
    return np.stack([item["label"] for item in data]), np.stack([item["image"] for item in data])


@pytest.mark.parametrize("decollate", [False, True])
def test_multilabel_scores_equal_sklearn(decollate):
    data = items()
    found = run(data, ClassificationScores("abc"), decollate, negative_loss=ValidationLoss(MeanLoss())).state.metrics
    labels, logits = arrays(data)
    assert found["key"] == found["auroc"] == pytest.approx(roc_auc_score(labels, logits, average="macro"))
    assert found["auroc_b"] == pytest.approx(roc_auc_score(labels[:, 1], logits[:, 1]))
    assert found["auprc"] == pytest.approx(average_precision_score(labels, logits, average="macro"))
    assert found["accuracy"] == accuracy_score(labels, logits >= 0)
    # All batches together, although the last is smaller.
    expected = F.binary_cross_entropy_with_logits(torch.from_numpy(logits), torch.from_numpy(labels))
    assert found["loss"] == -found["negative_loss"] == pytest.approx(float(expected), rel=1e-6)
    assert all(isinstance(value, float) for value in found.values())


def test_multiclass_scores_equal_sklearn():
    data = items(multiclass=True)
    engine = run(data, ClassificationScores("abc", "multiclass", main="accuracy"))
    labels, logits = arrays(data)
    found, p = engine.state.metrics, torch.from_numpy(logits).softmax(1).numpy()
    assert found["auroc"] == pytest.approx(roc_auc_score(labels.argmax(1), p, multi_class="ovr"), abs=1e-6)
    assert found["key"] == accuracy_score(labels.argmax(1), logits.argmax(1)) == engine.state.best_metric


def test_one_finding_is_a_class_like_another():
    data = items(classes=1)
    found = run(data, ClassificationScores(["Pneumonia"])).state.metrics
    labels, logits = arrays(data)
    assert found["key"] == found["auroc_Pneumonia"] == pytest.approx(roc_auc_score(labels, logits))
    assert found["accuracy"] == accuracy_score(labels, logits >= 0)


def test_an_absent_class_is_said_once_and_left_out(caplog):
    data = items()
    for item in data:
        item["label"][1], item["label"][2] = 0, float("nan")
    metric = ClassificationScores("abc")
    with caplog.at_level(logging.WARNING):
        engine = run(data, metric)
        engine.run()
    assert [r.message for r in caplog.records if "Not scored" in r.message] == [
        "Not scored in validation: b (no positives), c (no known labels)."
    ]
    found = engine.state.metrics
    assert found["auroc"] == found["auroc_a"]
    assert "auroc_b" not in found
    labels, logits = arrays(data)
    assert found["accuracy"] == accuracy_score(labels[:, :2], logits[:, :2] >= 0)


def test_a_validation_without_a_known_label_has_no_best():
    data = items()
    for item in data:
        item["label"][:] = float("nan")
    found = run(data, ClassificationScores("abc")).state.metrics
    assert np.isnan(found["auroc"])
    assert "accuracy" not in found


def test_repeated_images_count_once():
    logits, label = torch.randn(6, 2), torch.tensor([[0.0, 1], [1, 0]] * 3)
    metric = ClassificationScores("ab")
    metric.update(({"pred": logits, "label": label}, {"image_id": list("abcdef")}))
    once = metric.compute()
    metric.update(({"pred": logits[:2], "label": label[:2]}, {"image_id": ["a", "b"]}))
    assert metric.compute() == once


def test_mistakes_are_named():
    with pytest.raises(CxrError, match=r"main='auroc_d'.*auroc, auprc, accuracy, auroc_a"):
        ClassificationScores("abc", main="auroc_d")
    with pytest.raises(CxrError, match=r"needs logits and labels \(B, 3\), got \(4, 3\), NoneType"):
        ClassificationScores("abc").update(({"pred": torch.ones(4, 3)}, {}))
    with pytest.raises(CxrError, match="saw no image"):
        ClassificationScores("abc").compute()
    with pytest.raises(CxrError, match="saw no image"):
        ValidationLoss(MeanLoss()).compute()
