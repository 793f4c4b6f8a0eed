"""Linear probe: the README's baseline on real images, label policies, classes that cannot be scored."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from scripts.errors import CxrError
from scripts.evaluation.linear_probe import compare_probes, probe_cv, probe_split


def separable(n=120, d=6, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, (n, 2)).astype(float)
    features = rng.normal(size=(n, d))
    features[:, :2] += labels * 1.5
    return features, labels, np.arange(n) // 2


def test_raw_pixels_of_nih_give_the_published_row(shared_data):
    folder = shared_data / "nih_chestxray14"
    table = pd.read_csv(folder / "data.csv")
    images = [np.asarray(cv2.imread(str(folder / name), cv2.IMREAD_GRAYSCALE)) for name in table["image"]]
    pixels = np.stack([cv2.resize(image, (16, 16), interpolation=cv2.INTER_AREA).ravel() for image in images])
    names = ["Pneumonia", "Edema", "Effusion", "Atelectasis"]
    result = probe_cv(pixels, table[names].to_numpy(float), table["group"], names)
    assert [row.auroc.value for row in result.rows] == pytest.approx([0.823, 0.786, 0.764, 0.621], abs=0.01)
    assert [row.positives for row in result.rows] == [413, 83, 83, 88]
    lo, value, hi = np.array([(row.auroc.lo, row.auroc.value, row.auroc.hi) for row in result.rows], dtype=float).T
    assert (lo < value).all()
    assert (value < hi).all()


def test_cross_validation_equals_sklearn():
    features, labels, groups = separable()
    result = probe_cv(features, labels, groups, ["a", "b"], resamples=50)
    for i, row in enumerate(result.rows):
        scores = np.empty(len(labels))
        for train, test in GroupKFold(5).split(features, groups=groups):
            model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01)).fit(features[train], labels[train, i])
            scores[test] = model.decision_function(features[test])
        assert row.auroc.value == pytest.approx(roc_auc_score(labels[:, i], scores), abs=1e-9)
    assert result.macro.auroc.value == pytest.approx(np.mean([row.auroc.value for row in result.rows]))


def test_given_folds_are_used():
    features, labels, groups = separable()
    fold = groups % 3
    by_column = probe_cv(features, labels, groups, ["a", "b"], folds=fold, resamples=20)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01)).fit(features[fold != 1], labels[fold != 1, 0])
    np.testing.assert_allclose(by_column.scores[fold == 1, 0], model.decision_function(features[fold == 1]), atol=1e-9)


def test_split_scores_the_test_part_alone():
    features, labels, groups = separable()
    train = groups < 40
    result = probe_split(features, labels, groups, ["a", "b"], train, ~train, resamples=50)
    assert result.rows[0].n == 40
    assert np.isnan(result.scores[train]).all()
    assert np.isfinite(result.scores[~train]).all()


def test_uncertain_and_unknown_labels_are_left_out_of_fit_and_score():
    features, labels, groups = separable()
    known = np.arange(len(labels)) >= 30
    holes = labels.copy()
    holes[:15], holes[15:30] = -1, np.nan
    train = groups < 40
    with_holes = probe_split(features, holes, groups, ["a", "b"], train, ~train, resamples=20)
    assert with_holes.rows[0].n == 40
    fit = train & known
    # The scaler sees all training images, the classifier those with a label.
    scaler = StandardScaler().fit(features[train])
    model = LogisticRegression(C=0.01).fit(scaler.transform(features[fit]), labels[fit, 0])
    expected = roc_auc_score(labels[~train, 0], model.decision_function(scaler.transform(features[~train])))
    assert with_holes.rows[0].auroc.value == pytest.approx(expected, abs=1e-9)
    assert probe_cv(features, holes, groups, ["a", "b"], resamples=20).rows[0].n == 90


def test_classes_that_cannot_be_scored_say_why_and_stay_out_of_the_macro():
    features, labels, groups = separable()
    train = groups < 40
    odd = np.zeros((len(labels), 5))
    odd[:, 0] = labels[:, 0]  # fine
    odd[train, 1] = labels[train, 1]  # no positives to test
    odd[~train, 2] = labels[~train, 1]  # no positives to learn from
    odd[:, 3] = np.nan  # never labelled
    odd[:, 4] = 1  # only positives
    result = probe_split(features, odd, groups, list("abcde"), train, ~train, resamples=50)
    assert [row.auroc.reason for row in result.rows] == [
        "",
        "no positives in the test part",
        "no positives in the training part",
        "no known labels",
        "no negatives",
    ]
    assert result.macro.auroc.value == result.rows[0].auroc.value
    assert result.macro.auroc.reason == "over 1 of 5 classes"
    assert "NaN" not in json.dumps(result.to_dict())


def test_positives_of_one_fold_only_are_not_scored():
    features, labels, groups = separable()
    fold = groups % 5
    rare = np.where(fold == 2, labels[:, 0], 0)[:, None]
    result = probe_cv(features, rare, groups, ["rare"], folds=fold, resamples=20)
    assert result.rows[0].auroc.value is None
    assert result.rows[0].auroc.reason == "no positives in the training part of fold 3"
    assert result.macro.auroc.value is None
    assert result.macro.auroc.reason == "no class could be scored"


def test_compare_probes_finds_a_real_difference_and_no_false_one():
    features, labels, groups = separable(300)
    noise = np.random.default_rng(5).normal(size=features.shape)
    weak, strong = (probe_cv(x, labels, groups, ["a", "b"], resamples=20) for x in (noise, features))
    gain = compare_probes(weak, strong)
    means = [np.mean([row.auroc.value for row in probe.rows]) for probe in (weak, strong)]
    assert gain.value == pytest.approx(means[1] - means[0])
    assert gain.lo is not None and gain.hi is not None and gain.p is not None
    assert 0 < gain.lo < gain.value < gain.hi
    assert gain.p < 0.01
    assert compare_probes(strong, strong).p == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"groups": ["a"] * 120}, "at least 5 patients"),
        ({"folds": np.arange(120) % 5}, "patients are both"),
        ({"labels": np.full((120, 2), 2.0)}, "must be 1, 0, -1"),
        ({"names": ["a"]}, "c names"),
        ({"features": np.full((120, 3), np.nan)}, "120 of 120 feature rows"),
        ({"uncertain": "drop"}, "is not one of"),
    ],
)
def test_bad_input_is_named(change, message):
    features, labels, groups = separable()
    arguments = {"features": features, "labels": labels, "groups": groups, "names": ["a", "b"]} | change
    with pytest.raises(CxrError, match=message):
        probe_cv(**arguments)
