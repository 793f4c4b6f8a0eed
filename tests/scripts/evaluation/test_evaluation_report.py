"""The report of one pass: every member beside its baselines, in files and in the table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from ignite.engine import Engine

from scripts.errors import CxrError
from scripts.evaluation.report import EvaluationReport, merge_random
from scripts.metrics.retrieval import retrieval
from scripts.statistics.estimate import Estimate
from scripts.tables.scores import ScoreRow

PATIENTS, IMAGES = 40, 80


def data(seed: int = 0) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Two images a patient. `good` features hold the first finding; the other members hold noise."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 2, IMAGES).astype(np.float32)
    good = rng.normal(size=(IMAGES, 4)).astype(np.float32)
    good[:, 0] += 4 * label
    features = {"good": good}
    for name in ("random initialisation 0", "random initialisation 1", "16 x 16 pixels"):
        features[name] = rng.normal(size=(IMAGES, 4)).astype(np.float32)
    columns: dict[str, Any] = {
        "patient_id": [f"p{i // 2}" for i in range(IMAGES)],
        "split": ["train" if i < 60 else "test" for i in range(IMAGES)],
        "report": [f"report {i}" for i in range(IMAGES)],
        "label": torch.from_numpy(np.stack([label, np.full(IMAGES, np.nan, np.float32)], 1)),
    }
    return {name: torch.from_numpy(value) for name, value in features.items()}, columns


def evaluate(folder: Path, leave_out: tuple[str, ...] = (), **settings: Any) -> tuple[dict[str, Any], Engine]:
    features, columns = data()
    batches = [slice(i, i + 32) for i in range(0, IMAGES, 32)]

    def step(engine: Engine, part: slice) -> dict[str, Any]:
        engine.state.batch = {key: value[part] for key, value in columns.items() if key not in leave_out}
        return {"pred": {name: value[part] for name, value in features.items()}}

    engine = Engine(step)
    EvaluationReport(folder, **{"labels": ["finding", "never"], "resamples": 50, **settings}).attach(engine)
    engine.run(batches)
    return json.loads((folder / "evaluation.json").read_text()), engine


@pytest.mark.parametrize("protocol", ["split", "5-fold"])
def test_the_probe_finds_what_is_there_and_nothing_else(tmp_path: Path, protocol: str) -> None:
    result, engine = evaluate(tmp_path, protocol=protocol)
    assert (result["images"], result["patients"], result["protocol"]) == (IMAGES, PATIENTS, protocol)
    probe = {name: one["rows"][0] for name, one in result["probe"].items()}
    assert probe["good"]["auroc"] > 0.95
    assert probe["good"]["n"] == (20 if protocol == "split" else IMAGES)
    assert all(0.1 < probe[name]["auroc"] < 0.9 for name in probe if name != "good")
    assert all(row["lo"] <= row["auroc"] <= row["hi"] for row in probe.values())
    never = result["probe"]["good"]["rows"][1]
    assert never["auroc"] is None  # a finding without labels is said to be so, and not scored
    assert never["reason"]
    assert result["probe"]["good"]["macro"]["auroc"] == pytest.approx(probe["good"]["auroc"])
    difference = result["difference_to_random"]["good"]
    assert set(difference) == {"random initialisation 0", "random initialisation 1"}
    assert all(found["lo"] > 0 for found in difference.values())
    assert engine.state.metrics["good: macro AUROC"] == pytest.approx(probe["good"]["auroc"])


def test_the_table_has_the_trivial_the_random_and_the_pixels_beside_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result, _ = evaluate(tmp_path)
    printed = capsys.readouterr().out
    head = (tmp_path / "evaluation.md").read_text().splitlines()[0]
    columns = [cell.strip() for cell in head.strip("|").split("|")]
    assert columns == ["score", "trivial", "16 x 16 pixels", "random (2 seeds, range)", "good"]
    assert all(column in printed for column in columns)
    frame = pd.read_csv(tmp_path / "evaluation.csv").set_index(["score", "method"])
    row = frame.loc["macro AUROC minus best random", "good"]
    differences = result["difference_to_random"]["good"].values()
    assert row["value"] == pytest.approx(min(found["value"] for found in differences))
    assert row["trivial"] == 0
    scores = frame.index.get_level_values("score")
    auroc = next(name for name in scores if name.startswith("AUROC finding"))
    merged = frame.loc[auroc, "random (2 seeds, range)"]
    both = [result["probe"][f"random initialisation {i}"]["rows"][0]["auroc"] for i in (0, 1)]
    assert (merged["value"], merged["lo"], merged["hi"]) == pytest.approx((np.mean(both), min(both), max(both)))
    assert frame.loc[auroc, "good"]["trivial"] == 0.5
    assert {path.name for path in (tmp_path / "pictures").iterdir()} == {
        "image_retrieval.png", "probe.png", "spectrum.png"
    }  # fmt: skip


def test_the_geometry_is_that_of_the_features(tmp_path: Path) -> None:
    from scripts.metrics.latent_geometry import latent_geometry

    result, _ = evaluate(tmp_path)
    for name, value in data()[0].items():
        assert result["geometry"][name] == pytest.approx(latent_geometry(value))


class Space:
    """The good features are their own projections; a prompt says yes to the first axis."""

    member = "good"

    def __init__(self, reason: str = "", told: bool = True) -> None:
        self.reason, self.told = reason, told

    def project_images(self, features: torch.Tensor) -> torch.Tensor:
        return features

    def zero_shot(self, features: torch.Tensor, findings: list[str]) -> np.ndarray:
        if not self.told:
            raise CxrError("the language model is not here")
        return features[:, :1].double().numpy().repeat(len(findings), axis=1)

    def retrieve(self, features: torch.Tensor, reports: list[str], patients: Any, labels: Any, *more: Any) -> Any:
        assert len(features) == len(reports) == len(patients) == len(labels)
        return retrieval(features, features, reports, groups=patients, resamples=20)


def test_the_shared_space_adds_zero_shot_and_retrieval_on_the_probes_images(tmp_path: Path) -> None:
    result, engine = evaluate(tmp_path, shared_space=Space())
    found = result["zero_shot"]["good"]
    assert result["shared_space"] == ""
    assert found["finding"]["value"] > 0.95
    assert found["finding"]["n"] == result["probe"]["good"]["rows"][0]["n"] == 20
    assert (found["never"]["value"], found["never"]["reason"]) == (None, "no known labels")
    assert engine.state.metrics["good: zero-shot macro AUROC"] == pytest.approx(found["macro"]["value"])
    assert result["retrieval"]["good"]["n"] == 20
    table = (tmp_path / "evaluation.md").read_text()
    assert all(f"| {name} " in table for name in ("zero-shot AUROC macro", "R@1 image→report", "R@10 report→image"))
    pictures = {path.stem for path in (tmp_path / "pictures").iterdir()}
    assert pictures == {"image_retrieval", "probe", "retrieval", "spectrum", "zero_shot"}


def test_images_find_images_of_the_finding_in_every_member(tmp_path: Path) -> None:
    result, _ = evaluate(tmp_path, shared_space=Space())
    found = result["image_retrieval"]
    assert set(found) == {*data()[0], "good, projected"}
    assert found["good"]["p_at_1"]["lo"] > found["good"]["p_at_1"]["chance"]
    assert found["good"]["findings"]["never"]["reason"] == "no two patients have it"
    frame = pd.read_csv(tmp_path / "evaluation.csv").set_index(["score", "method"])["value"]
    assert frame["P@5 same finding image→image", "good"] == pytest.approx(found["good"]["p_at_5"]["value"])
    assert frame["P@5 same finding image→image, projected"].index.to_list() == ["good"]


def test_a_method_without_a_shared_space_has_the_reason_and_no_number(tmp_path: Path) -> None:
    result, _ = evaluate(tmp_path, shared_space=Space("Labels has no shared space"))
    assert result["shared_space"] == "Labels has no shared space"
    assert not {"zero_shot", "retrieval"} & result.keys()
    assert "good, projected" not in result["image_retrieval"]
    table = (tmp_path / "evaluation.md").read_text()
    assert table.count("not scored: Labels has no shared space") == 3
    assert (tmp_path / "pictures" / "zero_shot.png").is_file()


def test_without_a_language_model_the_rest_is_scored(tmp_path: Path) -> None:
    result, _ = evaluate(tmp_path, shared_space=Space(told=False))
    assert "zero_shot" not in result
    assert result["retrieval"]
    assert "not scored: no language model at hand" in (tmp_path / "evaluation.md").read_text()


def test_data_without_labels_has_geometry_alone(tmp_path: Path) -> None:
    result, _ = evaluate(tmp_path, leave_out=("label", "report"), labels=[])
    assert "probe" not in result
    assert set(result["geometry"]) == set(data()[0])


def test_a_second_pass_forgets_the_first(tmp_path: Path) -> None:
    features, columns = data()
    engine = Engine(lambda engine, _: {"pred": features})
    report = EvaluationReport(tmp_path, ["finding", "never"], resamples=20)
    report.attach(engine)
    for _ in range(2):
        engine.run([columns], max_epochs=1)
    assert json.loads((tmp_path / "evaluation.json").read_text())["images"] == IMAGES


def test_what_other_ranks_saw_is_gathered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rank 0 of three: the others hold the second half of the images, and nothing."""
    whole, _ = evaluate(tmp_path / "whole")
    features, columns = data()
    half, rest = slice(0, IMAGES // 2), slice(IMAGES // 2, IMAGES)
    other = (
        {name: [value[rest]] for name, value in features.items()},
        {key: list(value[rest]) for key, value in columns.items()},
    )
    monkeypatch.setattr("ignite.distributed.all_gather", lambda own: [own, other, ({}, {})])
    mine = {key: value[half] for key, value in columns.items()}
    engine = Engine(lambda engine, _: {"pred": {name: value[half] for name, value in features.items()}})
    EvaluationReport(tmp_path, ["finding", "never"], resamples=50).attach(engine)
    engine.run([mine])
    assert json.loads((tmp_path / "evaluation.json").read_text()) == whole


def test_an_unknown_protocol_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CxrError, match="split or 5-fold, not 'leave-one-out'"):
        EvaluationReport(tmp_path, [], protocol="leave-one-out")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("scores", "merged"),
    [
        ({"a": Estimate(0.8)}, {"a": Estimate(0.8)}),
        (
            {"a": Estimate(0.8), "random initialisation 0": Estimate(0.5, 0.4, 0.6), "16 x 16 pixels": Estimate(0.7)},
            {"16 x 16 pixels": Estimate(0.7), "random initialisation": Estimate(0.5, 0.5, 0.5), "a": Estimate(0.8)},
        ),
        (
            {"random initialisation 0": Estimate(0.5), "random initialisation 3": Estimate(0.7), "a": Estimate(0.8)},
            {"random (2 seeds, range)": Estimate(0.6, 0.5, 0.7), "a": Estimate(0.8)},
        ),
        (
            {"random initialisation 0": Estimate(None, reason="one class"), "a": Estimate(None, reason="one class")},
            {"random initialisation": Estimate(None, reason="one class"), "a": Estimate(None, reason="one class")},
        ),
    ],
)
def test_random_seeds_share_a_column(scores: dict[str, Estimate], merged: dict[str, Estimate]) -> None:
    found = merge_random(ScoreRow("x", scores, 0.5))
    assert list(found.scores) == list(merged)
    for name, score in merged.items():
        assert found.scores[name].reason == score.reason
        assert [found.scores[name].value, found.scores[name].lo, found.scores[name].hi] == [
            value if value is None else pytest.approx(value) for value in (score.value, score.lo, score.hi)
        ]
    assert (found.name, found.trivial) == ("x", 0.5)
