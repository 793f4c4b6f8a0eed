"""The classification report: scores against scikit-learn, what validation decided, absent classes, subgroups, files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from ignite.engine import Engine
from sklearn.metrics import accuracy_score, average_precision_score, f1_score, log_loss, roc_auc_score

from scripts.errors import CxrError
from scripts.statistics.draws import Draws
from scripts.statistics.estimate import mean_over_classes
from scripts.tasks.classification.calibration import predicted_probabilities, read_calibration
from scripts.tasks.classification.network import Classifier
from scripts.tasks.classification.report import ClassificationReport
from scripts.tasks.classification.task import CLASSIFICATION

IMAGES, SIZE, NAMES = 48, 32, ["Edema", "Effusion", "Hernia"]
NAN = float("nan")


def cases(classes: int, multiclass: bool = False) -> list[dict[str, Any]]:
    """Three images a patient, the last third for validation. Bright images are more often ill."""
    rng = np.random.default_rng(0)
    items = []
    for i in range(IMAGES):
        truth = rng.integers(0, 2, classes)
        truth = np.eye(classes)[rng.integers(0, classes)] if multiclass else truth
        items.append(
            {
                "image": torch.from_numpy(rng.normal(truth[0], 1, (3, SIZE, SIZE)).astype(np.float32)),
                "label": torch.from_numpy(truth.astype(np.float32)),
                "image_id": f"image-{i:02}",
                "patient_id": f"patient-{i // 3}",
                "split": "test" if i < 30 else "val",
                "view": "",
                "sex": "FM"[i // 3 % 2],
                "age": NAN if i < 3 else 30.0 + i,
            }
        )
    return items


class Cases:
    """Stands for the StudyDataset of a pass."""

    def __init__(self, data: list[dict[str, Any]]) -> None:
        self.data = data

    def read(self, index: int) -> dict[str, Any]:
        return self.data[index]


@torch.no_grad()
def know_something(network: Classifier, data: list[dict[str, Any]]) -> None:
    """A head along the difference between the ill and the others of every second image."""
    features = network.encoder.pooled(torch.stack([item["image"] for item in data[::2]]))
    label = torch.stack([item["label"] for item in data[::2]])
    for c in range(label.shape[1]):
        if 0 < label[:, c].nansum() < len(label):
            direction = features[label[:, c] == 1].mean(0) - features[label[:, c] != 1].mean(0)
            logits = features @ direction
            network.head.get_parameter("weight")[c] = 2 * direction / logits.std()
            network.head.get_parameter("bias")[c] = -2 * logits.mean() / logits.std()


def evaluate(
    folder: Path, data: list[dict[str, Any]], names: list[str] = NAMES, **settings: Any
) -> tuple[dict[str, Any], pd.DataFrame, Engine]:
    torch.manual_seed(0)
    network = Classifier("resnet10", len(names), encoder_options={"widen_factor": 0.25}).eval()
    know_something(network, data)

    def step(engine: Engine, part: list[dict[str, Any]]) -> dict[str, Any]:
        engine.state.batch = {
            key: torch.stack([item[key] for item in part]) if key in ("image", "label") else [i[key] for i in part]
            for key in part[0]
        }
        with torch.no_grad():
            return {"pred": network(engine.state.batch["image"]), "label": engine.state.batch["label"]}

    engine = Engine(step)
    ClassificationReport(folder, names, network, Cases(data), **{"resamples": 40, "cases": 2, **settings}).attach(
        engine
    )
    engine.run([data[i : i + 16] for i in range(0, len(data), 16)])
    result = json.loads((folder / "evaluation.json").read_text())
    return result, pd.read_parquet(folder / "predictions.parquet"), engine


def columns(table: pd.DataFrame, kind: str, names: list[str] = NAMES) -> np.ndarray:
    return table[[f"{kind}_{name}" for name in names]].to_numpy()


@pytest.fixture(scope="module")
def multilabel(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], pd.DataFrame, Engine]:
    """Hernia is nobody's in the test part; Effusion is unknown of some."""
    data = cases(3)
    for i, item in enumerate(data):
        if item["split"] == "test":
            item["label"][2] = 0
            item["label"][1] = NAN if i % 5 == 0 else item["label"][1]
    folder = tmp_path_factory.mktemp("multilabel")
    return folder, *evaluate(folder, data)


def test_scores_equal_sklearn(multilabel: tuple[Path, dict[str, Any], pd.DataFrame, Engine]) -> None:
    _, result, table, engine = multilabel
    test = table[table["split"] == "test"]
    labels, logits = columns(test, "label"), columns(test, "logit")
    areas = []
    for i in (0, 1):
        known = ~np.isnan(labels[:, i])
        areas.append(roc_auc_score(labels[known, i], logits[known, i]))
        found = result["details"]["scores"]["auprc"][NAMES[i]]
        assert found["value"] == pytest.approx(average_precision_score(labels[known, i], logits[known, i]))
        assert found["lo"] <= found["value"] <= found["hi"]
    metrics = engine.state.metrics
    assert metrics["auroc"] == pytest.approx(np.mean(areas)) == result["metrics"]["auroc"]
    assert metrics["auroc_Edema"] == pytest.approx(areas[0])
    drawn = CLASSIFICATION.class_scores(test, NAMES, Draws.once(len(test)))
    assert mean_over_classes(drawn)[0] == pytest.approx(metrics["auroc"])
    assert all(isinstance(value, float) for value in metrics.values())


def test_validation_decides_temperature_and_thresholds(
    multilabel: tuple[Path, dict[str, Any], pd.DataFrame, Engine],
) -> None:
    folder, result, table, _ = multilabel
    calibration = read_calibration(folder / "calibration.json")
    assert calibration.thresholds is not None and set(calibration.thresholds) == set(NAMES)
    val, test = (table[table["split"] == split] for split in ("val", "test"))

    def loss(temperature: float) -> float:
        p = predicted_probabilities(columns(val, "logit"), "multilabel", temperature)
        return log_loss(columns(val, "label").ravel(), p.ravel())

    best = loss(calibration.temperature)
    assert 0.1 < calibration.temperature < 10
    assert all(best <= loss(calibration.temperature * factor) + 1e-9 for factor in (0.9, 1.0, 1.1))
    p = {part: predicted_probabilities(columns(t, "logit"), "multilabel", calibration.temperature)
         for part, t in (("val", val), ("test", test))}  # fmt: skip
    limit = calibration.thresholds["Edema"]
    chosen = f1_score(val["label_Edema"], p["val"][:, 0] >= limit)
    assert chosen == pytest.approx(max(f1_score(val["label_Edema"], p["val"][:, 0] >= t) for t in p["val"][:, 0]))
    found = result["details"]["scores"]["f1"]["Edema"]
    assert found["value"] == pytest.approx(f1_score(test["label_Edema"], p["test"][:, 0] >= limit))
    assert result["details"]["temperature"] == calibration.temperature
    assert any(f"{calibration.temperature:.2f}, comes from 18 images" in note for note in result["notes"])


def test_the_table_has_the_trivial_level_and_says_what_is_absent(
    multilabel: tuple[Path, dict[str, Any], pd.DataFrame, Engine],
) -> None:
    folder, result, table, _ = multilabel
    test = table[table["split"] == "test"]
    frame = pd.read_csv(folder / "evaluation.csv").set_index(["score", "method"])
    row = frame.loc[(f"AUPRC Edema ({int(test['label_Edema'].sum())} of 30)", "this run")]
    assert row["trivial"] == pytest.approx(test["label_Edema"].mean())
    assert frame.loc[("AUROC Hernia (0 of 30)", "this run"), "note"] == "no positives"
    assert frame.loc[("AUROC macro", "this run"), "note"] == "over 2 of 3 classes"
    assert "not scored: no positives" in (folder / "evaluation.md").read_text()
    assert any("Hernia (no positives)" in note for note in result["notes"])
    labels = columns(test, "label")
    combinations, counts = np.unique(labels[~np.isnan(labels).any(axis=1)], axis=0, return_counts=True)
    assert frame.loc[("accuracy, all labels of an image", "this run"), "trivial"] >= counts.max() / 30
    assert len(combinations) > 1


def test_subgroups_are_scored_apart_with_their_counts(
    multilabel: tuple[Path, dict[str, Any], pd.DataFrame, Engine],
) -> None:
    folder, _, table, _ = multilabel
    frame = pd.read_csv(folder / "evaluation.csv").set_index(["score", "method"])
    test = table[table["split"] == "test"]
    women = test[test["sex"] == "F"]
    row = frame.loc[("AUROC Edema, by sex", "F (images 15, patients 5)")]
    assert row["value"] == pytest.approx(roc_auc_score(women["label_Edema"], women["logit_Edema"]))
    assert row["note"] == f"({int(women['label_Edema'].sum())} of 15)"
    assert frame.loc[("AUROC Hernia, by sex", "F (images 15, patients 5)"), "note"] == "no positives"
    bands = frame.loc["AUROC macro, by age"].index.tolist()
    assert bands == ["<40 (images 7, patients 3)", "40-59 (images 20, patients 7)",
                     "unknown (images 3, patients 1)"]  # fmt: skip
    alone = frame.loc[("AUROC macro, by age", bands[2])]
    assert np.isnan(alone["lo"])  # one patient has no interval
    assert not any("by view" in score for score in frame.index.get_level_values("score"))


def test_pictures_and_page(multilabel: tuple[Path, dict[str, Any], pd.DataFrame, Engine]) -> None:
    folder, *_ = multilabel
    names = {"roc_pr.png", "reliability.png", "worst_cases.png", "best_cases.png"}
    assert {path.name for path in (folder / "pictures").iterdir()} == names
    assert "AUROC by sex" in (folder / "report.html").read_text()


def test_multiclass(tmp_path: Path) -> None:
    result, table, engine = evaluate(tmp_path, cases(3, multiclass=True), mode="multiclass")
    test = table[table["split"] == "test"]
    logits, truth = columns(test, "logit"), columns(test, "label").argmax(axis=1)
    np.testing.assert_allclose(np.exp(logits).sum(axis=1), 1)
    metrics = engine.state.metrics
    assert metrics["accuracy"] == pytest.approx(accuracy_score(truth, logits.argmax(axis=1)))
    assert metrics["auroc"] == pytest.approx(roc_auc_score(truth, np.exp(logits), multi_class="ovr"))
    assert metrics["f1"] == pytest.approx(f1_score(truth, logits.argmax(axis=1), average="macro"))
    calibration = read_calibration(tmp_path / "calibration.json")
    assert (calibration.mode, calibration.thresholds) == ("multiclass", None)
    rows = {row["score"]: row for row in result["scores"]}
    assert rows["accuracy"]["trivial"] == pytest.approx(np.bincount(truth).max() / len(truth))
    assert rows["calibration error as trained"]["value"] == metrics["ece"]


def test_one_finding_scored_where_it_chose(tmp_path: Path) -> None:
    """NIH here: no test images, one class, nothing known about the patients."""
    data = [item | {"split": "val", "sex": "", "age": NAN} for item in cases(1)]
    result, table, engine = evaluate(tmp_path, data, ["Pneumonia"])
    expected = roc_auc_score(table["label_Pneumonia"], table["logit_Pneumonia"])
    assert engine.state.metrics["auroc"] == engine.state.metrics["auroc_Pneumonia"] == pytest.approx(expected)
    assert not any("macro" in row["score"] for row in result["scores"])
    assert any("optimistic" in note for note in result["notes"])
    assert result["scored_images"] == IMAGES


def test_a_validation_without_positives_decides_no_threshold(tmp_path: Path) -> None:
    data = cases(2)
    for item in data:
        if item["split"] == "val":
            item["label"][1] = 0
    result, *_ = evaluate(tmp_path, data, ["Edema", "Hernia"])
    found = result["details"]["scores"]["f1"]
    assert found["Hernia"]["reason"] == "no threshold from validation"
    assert found["macro"]["value"] == found["Edema"]["value"]
    assert result["details"]["thresholds"]["Hernia"] == 0.5
    assert any("inference takes 0.5, for Hernia (no positives)" in note for note in result["notes"])
    assert result["details"]["scores"]["auroc"]["Hernia"]["value"] is not None


def test_nothing_known_is_said(tmp_path: Path) -> None:
    data = cases(2)
    for item in data:
        item["label"][:] = NAN
    result, _, engine = evaluate(tmp_path, data, ["Edema", "Hernia"])
    assert "auroc" not in engine.state.metrics
    assert result["details"]["scores"]["auroc"]["macro"]["reason"] == "no class could be scored"
    assert result["details"]["temperature"] == 1


def test_mistakes_are_told(tmp_path: Path) -> None:
    network = torch.nn.Identity()
    with pytest.raises(CxrError, match="multilabel or multiclass, not 'binary'"):
        ClassificationReport(tmp_path, NAMES, network, Cases([]), mode="binary")  # type: ignore[arg-type]
    with pytest.raises(CxrError, match="two names or more"):
        ClassificationReport(tmp_path, ["one"], network, Cases([]), mode="multiclass")
    engine = Engine(lambda engine, batch: {"pred": torch.ones(4, 2), "label": torch.ones(4, 2)})
    ClassificationReport(tmp_path, NAMES, network, Cases([])).attach(engine)
    with pytest.raises(CxrError, match=r"logits and labels \(B, 3\), got \(4, 2\)"):
        engine.run([{"image_id": list("abcd"), "patient_id": list("abcd")}])
