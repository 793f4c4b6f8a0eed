"""Every score of every class in one table: against scikit-learn, absent classes, baselines, subgroups."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    f1_score,
    precision_score,
    recall_score,
    roc_auc_score,
)

from scripts.statistics.draws import Draws
from scripts.statistics.estimate import MACRO
from scripts.tasks.classification.calibration import predicted_probabilities
from scripts.tasks.classification.scores import class_counts, constant_accuracy, score_classes
from scripts.tasks.classification.subgroups import subgroups

N, NAN = 150, float("nan")
NAMES = ["a", "b", "c"]


def case(mode="multilabel", classes=3):
    rng = np.random.default_rng(0)
    labels = np.eye(classes)[rng.integers(0, classes, N)] if mode == "multiclass" else rng.integers(0, 2, (N, classes))
    logits = rng.normal(size=(N, classes)) + labels
    return logits, labels.astype(float), Draws.of(rng.integers(0, 50, N), 200)


def values(table):
    return {score: {name: found.value for name, found in classes.items()} for score, classes in table.items()}


def test_multilabel_scores_equal_sklearn():
    logits, labels, draws = case()
    labels[:30, 2] = NAN
    thresholds = np.array([0.5, 0.6, 0.4])
    table = score_classes(logits, labels, NAMES, draws, temperature=2, thresholds=thresholds)
    found = values(table)
    p = predicted_probabilities(logits, "multilabel", 2)
    answer = (p >= thresholds).astype(float)
    for i, name in enumerate(NAMES):
        k = ~np.isnan(labels[:, i])
        truth, said = labels[k, i], answer[k, i]
        assert found["auroc"][name] == pytest.approx(roc_auc_score(truth, logits[k, i]))
        assert found["auprc"][name] == pytest.approx(average_precision_score(truth, logits[k, i]))
        assert found["f1"][name] == pytest.approx(f1_score(truth, said))
        assert found["sensitivity"][name] == pytest.approx(recall_score(truth, said))
        assert found["specificity"][name] == pytest.approx(recall_score(1 - truth, 1 - said))
        assert found["accuracy"][name] == pytest.approx(accuracy_score(truth, said))
        # The trivial level of each: what constant answers score.
        ones = np.ones_like(truth)
        assert table["auroc"][name].trivial == 0.5
        assert table["auprc"][name].trivial == pytest.approx(average_precision_score(truth, ones))
        assert table["f1"][name].trivial == pytest.approx(f1_score(truth, ones))
        assert table["accuracy"][name].trivial == pytest.approx(max(accuracy_score(truth, c * ones) for c in (0, 1)))
        assert table["sensitivity_at_90"][name].trivial == pytest.approx(0.1)
    for score in ("auroc", "auprc", "f1", "ece", "ece_calibrated", "sensitivity_at_90"):
        assert found[score][MACRO] == pytest.approx(np.mean([found[score][name] for name in NAMES]))
    known = ~np.isnan(labels).any(axis=1)
    whole = score_classes(logits[known], labels[known], NAMES, draws[known], thresholds=0.5)
    answer = logits[known] >= 0
    assert values(whole)["accuracy"][MACRO] == pytest.approx(accuracy_score(labels[known], answer))


def test_multiclass_scores_equal_sklearn():
    logits, labels, draws = case("multiclass")
    table = score_classes(logits, labels, NAMES, draws, "multiclass", temperature=3)
    found, truth, said = values(table), labels.argmax(axis=1), logits.argmax(axis=1)
    p = predicted_probabilities(logits, "multiclass")
    assert found["auroc"][MACRO] == pytest.approx(roc_auc_score(truth, p, multi_class="ovr"))
    assert found["accuracy"] == {MACRO: accuracy_score(truth, said)}
    assert table["accuracy"][MACRO].trivial == pytest.approx(np.bincount(truth).max() / N)
    assert found["f1"][MACRO] == pytest.approx(f1_score(truth, said, average="macro"))
    constant = [f1_score(truth, np.full(N, c), average="macro") for c in range(3)]
    assert table["f1"][MACRO].trivial == pytest.approx(max(constant))
    assert [found["sensitivity"][name] for name in NAMES] == pytest.approx(
        list(recall_score(truth, said, average=None))
    )
    assert set(found["ece"]) == {MACRO}
    assert precision_score(truth, said, average="micro") == found["accuracy"][MACRO]


@pytest.mark.parametrize("mode", ["multilabel", "multiclass"])
def test_intervals_hold_their_scores(mode):
    logits, labels, draws = case(mode)
    for score, classes in score_classes(logits, labels, NAMES, draws, mode).items():
        for found in classes.values():
            assert found.value is not None and found.lo is not None and found.hi is not None and found.lo < found.hi
            # More bins than images fill make a calibration error of a resample larger than that of all images.
            assert found.lo <= found.value <= found.hi or score.startswith("ece")


def test_one_class_has_no_macro():
    logits, labels, draws = case(classes=1)
    table = score_classes(logits, labels, ["a"], draws)
    assert all(set(classes) == {"a"} for classes in table.values())
    assert table["accuracy"]["a"].value == accuracy_score(labels, logits >= 0)


def test_absent_classes_are_said_and_not_scored():
    logits, labels, draws = case()
    labels[:, 0], labels[:, 1] = 0, NAN
    table = score_classes(logits, labels, NAMES, draws, thresholds=[0.5, 0.5, NAN])
    assert table["auroc"]["a"].reason == "no positives"
    assert table["auroc"]["b"].reason == "no known labels"
    assert table["auroc"][MACRO].value == table["auroc"]["c"].value
    assert table["auroc"][MACRO].reason == "over 1 of 3 classes"
    assert table["f1"]["c"].reason == "no threshold from validation"
    assert table["f1"][MACRO].reason == "no class could be scored"
    assert all(found["a"].value is None for found in table.values())


@pytest.mark.parametrize("mode", ["multilabel", "multiclass"])
def test_nothing_known_is_said(mode):
    logits, labels, draws = case(mode)
    table = score_classes(logits, np.full_like(labels, NAN), NAMES, draws, mode)
    assert all(found[MACRO].value is None for found in table.values())
    assert table["accuracy"][MACRO].reason == "no known labels"


def test_one_class_in_all_images_leaves_accuracy_and_calibration():
    logits, labels, draws = case("multiclass")
    labels[:], labels[:, 1] = 0, 1
    table = score_classes(logits, labels, NAMES, draws, "multiclass")
    assert table["auroc"][MACRO].reason == "no class could be scored"
    assert table["accuracy"][MACRO].value == (logits.argmax(axis=1) == 1).mean()
    assert table["accuracy"][MACRO].trivial == 1
    assert table["ece"][MACRO].value is not None


def test_a_single_patient_has_no_interval():
    logits, labels, _ = case()
    found = score_classes(logits, labels, NAMES, Draws.of(["p"] * N))["auroc"]["a"]
    assert (found.lo, found.hi) == (None, None)
    assert found.value == pytest.approx(roc_auc_score(labels[:, 0], logits[:, 0]))


def test_a_finding_of_one_patient_has_no_interval():
    logits, labels, _ = case(classes=2)
    patients = np.arange(N) // 3
    labels[:, 0] = patients == 7
    labels[:, 1] = np.isin(patients, (7, 8))
    found = score_classes(logits, labels, ["one", "two"], Draws.of(patients))["auroc"]
    assert found["one"].value is not None and found["one"].lo is None
    assert found["two"].lo is not None


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (np.eye(3)[[0, 0, 1, 2]], 0.5),
        ([[1, 0], [1, 0], [0, 1], [0, 0], [0, 0], [0, 0]], 0.5),
        # Each finding is absent in two images of three, and none is right more often than the empty answer.
        (np.eye(3), 1 / 3),
        ([[1, NAN], [1, 1], [0, 1]], 2 / 3),
        ([[0], [0], [1]], 2 / 3),
    ],
    ids=["one class an image", "combinations", "exclusive findings", "unknown", "one finding"],
)
def test_accuracy_of_one_answer_for_all_by_hand(labels, expected):
    assert constant_accuracy(labels) == pytest.approx(expected)


def test_counts():
    counts = class_counts(np.array([[1, NAN], [0, 1], [1, 1]]), ["a", "b"])
    assert [(c.n, c.positives) for c in counts.values()] == [(3, 2), (2, 2)]


def test_subgroups_by_sex_age_and_view():
    table = pd.DataFrame(
        {"sex": ["F", "M", "", "F"], "age": [39.9, 40, 80, NAN], "view": ["", "", "", ""], "other": range(4)}
    )
    found = {
        variable: {name: np.flatnonzero(mask).tolist() for name, mask in groups.items()}
        for variable, groups in subgroups(table).items()
    }
    assert found == {
        "sex": {"F": [0, 3], "M": [1], "unknown": [2]},
        "age": {"<40": [0], "40-59": [1], ">=80": [2], "unknown": [3]},
    }
    assert subgroups(table[["other"]]) == {}
