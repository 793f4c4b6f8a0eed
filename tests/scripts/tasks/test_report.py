"""What every task's evaluation does alike: rows of a pass become files without identities, on rank 0, once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest
import torch
from ignite.engine import Engine

from scripts.data.sampling import StudyDataset
from scripts.errors import CxrError
from scripts.figures.montage import Panel, plot_montage
from scripts.statistics.estimate import Estimate
from scripts.tables.scores import ScoreRow
from scripts.tasks.report import TaskReport, TaskScores, split_table

IMAGES = 12
SPLITS = ["test"] * 8 + ["val"] * 4
SCAN = "SECRETSCAN"


def item(i: int) -> dict[str, Any]:
    return {
        "image": torch.full((3, 8, 8), float(i)) + torch.arange(8.0),
        "image_id": f"{SCAN}{i:03d}",
        "patient_id": f"DOE^JANE{i // 2}",
        "split": SPLITS[i],
        "view": "PA" if i % 2 else "",
        "age": float("nan") if i == 3 else 40.0 + i,
        "label": torch.tensor([float(i % 2), float("nan")]),
    }


class Report(TaskReport):
    """The smallest task: the mean of each image, which is its number plus 3.5."""

    heading: ClassVar[str] = "Means"
    captions: ClassVar[Mapping[str, str]] = {"worst": "Worst cases"}

    def rows(self, engine: Engine) -> list[dict[str, Any]]:
        means = engine.state.output["pred"].mean((1, 2, 3))
        return [
            {"mean": mean, "label_a": np.float32(1), "boxes": np.zeros((int(mean) % 2, 4)), "unknown": float("nan")}
            for mean in means
        ]

    def score(self, table: pd.DataFrame) -> TaskScores:
        self.seen = table
        scored = split_table(table).scored
        mean = float(scored["mean"].mean())
        row = ScoreRow("mean", {"this run": Estimate(mean, mean - 1, mean + 1)}, 0.0)
        absent = ScoreRow("mean of b", {"this run": Estimate(None, reason="no positives")}, 0.0)
        return TaskScores(
            [row, absent], {"mean": mean}, {"worst": np.float64("nan"), "at": np.arange(2)}, ["A note."],
            {"By view": [row]},
        )  # fmt: skip

    def draw(self, table: pd.DataFrame, scores: TaskScores, pictures: Path) -> None:
        self.chosen = self.examples(table, table["mean"].sort_values(ascending=False).index.tolist(), 2)
        plot_montage([Panel(e.grey, f"case {e.case}") for e in self.chosen], pictures / "worst.png")


class Network(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))
        self.body = torch.nn.Dropout(0.5)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.body(image) * self.weight


class Tracker:
    def __init__(self) -> None:
        self.calls: list[tuple[dict[str, float], set[str]]] = []

    def log(self, metrics: dict[str, float], folder: Path) -> None:
        self.calls.append((metrics, {path.name for path in folder.rglob("*") if path.is_file()}))


def collate(items: list[dict[str, Any]]) -> dict[str, Any]:
    batch = {key: [one[key] for one in items] for key in items[0]}
    return batch | {key: torch.stack(batch[key]) for key in ("image", "label")} | {"age": torch.tensor(batch["age"])}


def evaluate(
    folder: Path, indices: list[int] | None = None, as_list: bool = False, epochs: int = 1, leave_out: str = "",
    **settings: Any,
) -> tuple[Report, Engine]:  # fmt: skip
    dataset = StudyDataset([item(i) for i in range(IMAGES)], transform=lambda one: one)

    def step(engine: Engine, part: list[int]) -> dict[str, Any]:
        items = [{key: value for key, value in dataset[i].items() if key != leave_out} for i in part]
        engine.state.batch = items if as_list else collate(items)
        return {"pred": torch.stack([one["image"] for one in items])}

    report = Report(folder, ["a", "b"], Network(), dataset, **settings)
    engine = Engine(step)
    report.attach(engine)
    order = list(range(IMAGES)) if indices is None else indices
    for _ in range(epochs):
        engine.run([order[i : i + 5] for i in range(0, len(order), 5)])
    return report, engine


@pytest.mark.parametrize("as_list", [False, True])
def test_the_files_hold_the_scores_of_the_test_images(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], as_list: bool
) -> None:
    _, engine = evaluate(tmp_path, as_list=as_list, title="Means of a set")
    expected = np.mean([i + 3.5 for i in range(8)])
    assert engine.state.metrics["mean"] == pytest.approx(expected)
    result = json.loads((tmp_path / "evaluation.json").read_text())
    assert (result["images"], result["scored_images"], result["patients"], result["notes"]) == (12, 8, 6, ["A note."])
    assert result["metrics"] == {"mean": pytest.approx(expected)}
    assert result["details"] == {"worst": None, "at": [0, 1]}  # JSON has no NaN
    assert [row["value"] for row in result["scores"]] == [pytest.approx(expected), None, pytest.approx(expected)]
    frame = pd.read_csv(tmp_path / "evaluation.csv")
    assert frame["score"].tolist() == ["mean", "mean of b", "mean"]
    printed, markdown = capsys.readouterr().out, (tmp_path / "evaluation.md").read_text()
    page = (tmp_path / "report.html").read_text()
    for text in ("Means of a set", "8 test images of 4 patients", "By view", "7.000", "[6.000, 8.000]", "no positives"):
        assert text in printed
        assert text in markdown
        assert text in page
    assert page.count("data:image/png;base64,") == 1
    assert "Worst cases" in page


def test_predictions_have_a_row_an_image_in_the_order_of_their_ids(tmp_path: Path) -> None:
    report, _ = evaluate(tmp_path, indices=[7, 3, 0, 11, 5, 1, 2, 10, 4, 6, 9, 8])
    table = pd.read_parquet(tmp_path / "predictions.parquet")
    pd.testing.assert_frame_equal(table.drop(columns="boxes"), report.seen.drop(columns="boxes"))
    assert table["image_id"].tolist() == [f"{SCAN}{i:03d}" for i in range(IMAGES)]
    np.testing.assert_allclose(table["mean"], np.arange(IMAGES) + 3.5)
    assert table["patient"].tolist() == [i // 2 for i in range(IMAGES)]
    assert table["split"].tolist() == SPLITS
    assert table["view"].tolist() == ["PA" if i % 2 else "" for i in range(IMAGES)]
    assert table["sex"].tolist() == [""] * IMAGES
    np.testing.assert_allclose(table["age"], [np.nan if i == 3 else 40 + i for i in range(IMAGES)])
    assert table["unknown"].isna().all()
    assert {len(boxes) for boxes in table["boxes"]} == {0, 1}


def test_no_file_names_a_patient_and_the_page_no_image(tmp_path: Path) -> None:
    settings = {"tracking_uri": "postgresql://me:hunter2@host/db", "names": ("a", "b"), "folder": tmp_path}
    evaluate(tmp_path, settings=settings)
    for path in tmp_path.rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        assert b"DOE" not in content, path
        assert b"hunter2" not in content, path
        if path.name != "predictions.parquet":
            assert SCAN.encode() not in content, path
    assert json.loads((tmp_path / "evaluation.json").read_text())["settings"]["names"] == ["a", "b"]


def test_examples_are_read_again_and_leave_the_network_as_it_was(tmp_path: Path) -> None:
    report, _ = evaluate(tmp_path)
    first, second = report.chosen
    assert (first.case, second.case) == (11, 10)
    assert first.row["image_id"] == f"{SCAN}011"
    assert first.item["patient_id"] == "DOE^JANE5"
    assert torch.equal(first.output, item(11)["image"])  # in eval mode: no dropout
    np.testing.assert_allclose(first.grey, np.tile(np.arange(8) / 7, (8, 1)), atol=1e-6)
    assert report.network.training
    assert all(module.training for module in report.network.modules())
    assert not first.output.requires_grad


def test_outputs_of_any_form_are_taken_apart(tmp_path: Path) -> None:
    """A detector in eval mode gives a list of dicts; bfloat16 has no numpy type."""
    box = {"box": torch.ones(1, 4), "label": torch.tensor([0]), "score": torch.tensor([0.5], dtype=torch.bfloat16)}
    report, _ = evaluate(tmp_path)
    for output in ([box], {"box": [box["box"]], "label": [box["label"]], "score": [box["score"]]}):
        report.inferer = lambda image, network, output=output: output  # type: ignore[assignment]
        (found,) = report.examples(report.seen, [4], 1)
        assert found.case == 4
        assert torch.equal(found.output["box"], box["box"])
        assert found.output["score"].numpy().dtype == np.float32
        assert found.output["label"].dtype == torch.int64


def test_what_other_ranks_saw_is_gathered_once_and_only_the_first_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, _ = evaluate(tmp_path / "whole")
    rest, _ = evaluate(tmp_path / "rest", indices=[6, 7, 8, 9, 10, 11, 0, 1])  # a sampler repeats two images
    other = pd.concat(rest._parts, ignore_index=True)
    monkeypatch.setattr("ignite.distributed.all_gather", lambda own: [own, other, None])
    tracker = Tracker()
    report, _ = evaluate(tmp_path / "first", indices=[0, 1, 2, 3, 4, 5], tracking=tracker)
    pd.testing.assert_frame_equal(report.seen, whole.seen)
    assert len(tracker.calls) == 1
    monkeypatch.setattr("ignite.distributed.get_rank", lambda: 1)
    evaluate(tmp_path / "second", indices=[6, 7], tracking=tracker)
    assert len(tracker.calls) == 1
    assert not (tmp_path / "second").exists()


def test_the_tracker_gets_the_metrics_when_every_file_is_there(tmp_path: Path) -> None:
    tracker = Tracker()
    evaluate(tmp_path, tracking=tracker)
    ((metrics, files),) = tracker.calls
    assert metrics == {"mean": pytest.approx(7.0)}
    assert files == {
        "evaluation.json", "evaluation.csv", "evaluation.md", "predictions.parquet", "report.html", "worst.png",
    }  # fmt: skip


def test_a_second_pass_forgets_the_first_and_its_pictures(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "of_another_task.png").touch()
    report, _ = evaluate(tmp_path, epochs=2)
    assert len(report.seen) == IMAGES
    assert [path.name for path in (tmp_path / "pictures").iterdir()] == ["worst.png"]


@pytest.mark.parametrize(
    ("splits", "chosen", "scored", "note"),
    [
        (["val", "test", "train", "test"], 1, 2, ""),
        (["val", "val", "train", "train"], 2, 2, "no test images in this pass: the validation images are scored"),
        (["test", "test", "train", "train"], 2, 2, "no validation images in this pass"),
        (["train", "train", "", ""], 4, 4, "no test images in this pass: all images are scored"),
    ],
)
def test_what_chooses_and_what_is_scored(splits: list[str], chosen: int, scored: int, note: str) -> None:
    parts = split_table(pd.DataFrame({"split": splits}))
    assert (len(parts.chosen), len(parts.scored)) == (chosen, scored)
    assert note in parts.note
    assert bool(note) == bool(parts.note)


@pytest.mark.parametrize("key", ["image_id", "patient_id"])
def test_items_that_cannot_be_told_apart_are_refused(tmp_path: Path, key: str) -> None:
    with pytest.raises(CxrError, match=f"needs '{key}' in every item"):
        evaluate(tmp_path, leave_out=key)


def test_a_pass_without_images_and_an_unknown_protocol_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CxrError, match="protocol must be mended or published, not 'mine'"):
        Report(tmp_path, ["a"], Network(), [], protocol="mine")
    report = Report(tmp_path, ["a"], Network(), [])
    engine = Engine(lambda engine, batch: None)
    report.start(engine)
    with pytest.raises(CxrError, match="saw no image"):
        report.finish(engine)
