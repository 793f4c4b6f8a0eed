"""Zero-shot scores against scikit-learn, and what cannot be scored."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from scripts.evaluation.zero_shot import zero_shot_scores, zero_shot_summary

RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 2, (80, 2)).astype(float)
LOG_ODDS = LABELS + RNG.normal(size=(80, 2))
PATIENTS = np.arange(80) // 2


def test_the_auroc_is_scikit_learns_and_lies_in_its_interval() -> None:
    found = zero_shot_summary(zero_shot_scores(LOG_ODDS, LABELS, ["a", "b"], PATIENTS, resamples=200))
    expected = [roc_auc_score(LABELS[:, i], LOG_ODDS[:, i]) for i in range(2)]
    assert [found[name]["value"] for name in "ab"] == pytest.approx(expected)
    assert found["macro"]["value"] == pytest.approx(np.mean(expected))
    assert all(one["lo"] < one["value"] < one["hi"] for one in found.values())
    assert list(found) == ["macro", "a", "b"]


def test_uncertain_and_unknown_labels_are_left_out_and_what_is_absent_is_named() -> None:
    labels = np.column_stack([LABELS[:, 0], np.zeros(80)])
    labels[:10, 0], labels[10:20, 0] = -1, np.nan
    found = zero_shot_summary(zero_shot_scores(LOG_ODDS, labels, ["a", "b"], PATIENTS, resamples=50))
    assert found["a"]["value"] == pytest.approx(roc_auc_score(LABELS[20:, 0], LOG_ODDS[20:, 0]))
    assert (found["a"]["n"], found["a"]["positives"]) == (60, int(LABELS[20:, 0].sum()))
    assert (found["b"]["value"], found["b"]["reason"]) == (None, "no positives")
    assert found["macro"]["value"] == pytest.approx(found["a"]["value"])
    assert found["macro"]["reason"] == "over 1 of 2 classes"


def test_nothing_to_score_is_named() -> None:
    found = zero_shot_summary(zero_shot_scores(LOG_ODDS, np.full((80, 2), np.nan), ["a", "b"], PATIENTS, resamples=20))
    assert found["macro"]["value"] is None
    assert found["a"]["reason"] == "no known labels"
