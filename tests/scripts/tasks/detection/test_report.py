"""The detection report: scores over all images beside boxes that never look, the published column, pictures."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import torch
from ignite.engine import Engine
from torch import nn

from scripts.errors import CxrError
from scripts.statistics.draws import Draws
from scripts.statistics.estimate import mean_over_classes
from scripts.tasks.detection.average_precision import weighted_map
from scripts.tasks.detection.report import DetectionReport

SIZE, NAMES = 64, ["nodule", "lung"]
LUNG = [6.0, 8, 30, 56]


def case(number, true, found, split="test", patient=None):
    """An item; `true` is (box, class), `found` is (box, class, score)."""
    return {
        "image": torch.full((3, SIZE, SIZE), float(number)),
        "box": torch.tensor([box for box, _ in true]).reshape(-1, 4),
        "label": torch.tensor([kind for _, kind in true], dtype=torch.int64),
        "image_id": f"i{number:02d}",
        "patient_id": f"patient-{number if patient is None else patient}",
        "split": split,
        "found": {
            "box": torch.tensor([box for box, _, _ in found]).reshape(-1, 4),
            "label": torch.tensor([kind for _, kind, _ in found], dtype=torch.int64),
            "score": torch.tensor([score for _, _, score in found]),
        },
    }


def cases():
    nodule, off = [40.0, 10, 50, 20], [10.0, 40, 18, 48]
    validation = [case(n, [(LUNG, 1)], [(LUNG, 1, 0.8), (off, 0, 0.7 - 0.1 * (n % 2))], "val") for n in range(4)]
    return validation + [
        case(10, [(LUNG, 1), (nodule, 0)], [(LUNG, 1, 0.9), (nodule, 0, 0.9)]),
        case(11, [(LUNG, 1), (nodule, 0)], [(LUNG, 1, 0.9), (off, 0, 0.8)]),
        case(12, [], [(off, 0, 0.6)]),  # healthy, with an alarm
        case(13, [(nodule, 0)], [(nodule, 0, 0.4)]),
        case(14, [(LUNG, 1)], []),  # missed
        case(15, [], []),
    ]


class Drawn:
    """Stands for the StudyDataset of a pass."""

    def __init__(self, data):
        self.data = data

    def read(self, index):
        return self.data[index]


class Remembered(nn.Module):
    """Stands for detector and inferer: what each image's case says."""

    def __init__(self, data):
        super().__init__()
        self.found = {float(item["image"][0, 0, 0]): item["found"] for item in data}

    def forward(self, images):
        return [self.found[float(image[0, 0, 0])] for image in images]


def run(folder, data, kind=DetectionReport, **options):
    network = Remembered(data)
    report = kind(folder, NAMES, network, Drawn(data), lambda x, net: net(x), resamples=50, cases=2, **options)

    def step(engine, batch):
        targets = [{"box": item["box"], "label": item["label"]} for item in batch]
        return {"pred": network(torch.stack([item["image"] for item in batch])), "label": targets}

    engine = Engine(step)
    report.attach(engine)
    engine.run([data[:4], data[4:]])
    return engine, pd.read_csv(folder / "evaluation.csv")


class Numbers(DetectionReport):
    """The report without its pictures, which take seconds."""

    def draw(self, *_):
        pass


def cell(scores, start, method="this run", column="value"):
    rows = scores[scores["score"].str.startswith(start) & (scores["method"] == method)]
    assert len(rows) == 1, scores["score"].tolist()
    return rows[column].item()


def test_scores_over_all_images(tmp_path):
    engine, scores = run(tmp_path, cases(), Numbers)
    # Nodules: hit at .9, false at .8 and .6, hit at .4; three true. Precision 1 to recall 1/3 (34 of 101 levels: 0 to
    # .33), 2/4 to 2/3 (33 levels), 0 beyond. Lungs: two hits, three true: 67 of 101 levels.
    nodule, lung = (34 + 33 / 2) / 101, 67 / 101
    assert cell(scores, "mAP .40:.75 nodule") == pytest.approx(nodule)
    assert cell(scores, "mAP .40:.75 lung (3 boxes in 3 images)") == pytest.approx(lung)
    assert cell(scores, "mAP .40:.75 macro") == pytest.approx((nodule + lung) / 2)
    assert cell(scores, "AP .50 macro") == pytest.approx((nodule + lung) / 2)
    # Six test images: at most 3, 6 and 12 false alarms, and there are two; four of six boxes are found.
    assert cell(scores, "sensitivity at 0.5 false") == pytest.approx(4 / 6)
    assert cell(scores, "sensitivity at 2 false") == pytest.approx(4 / 6)
    assert engine.state.metrics["map_40_75"] == pytest.approx((nodule + lung) / 2)
    assert engine.state.metrics["map_40_75_lung"] == pytest.approx(lung)
    assert {"map_50_95", "ap50", "sensitivity_0_5fp", "sensitivity_1fp"} <= engine.state.metrics.keys()
    low, high = (cell(scores, "mAP .40:.75 macro", column=c) for c in ("lo", "hi"))
    assert low <= (nodule + lung) / 2 <= high


def test_trivial_is_the_validation_images_own_lung_on_every_image(tmp_path):
    _, scores = run(tmp_path, cases(), Numbers)
    # The same box on six images, all of one score: three hits, so precision 1/2 at recall 1. Nodules have no template,
    # since none is in validation.
    assert cell(scores, "mAP .40:.75 lung", column="trivial") == pytest.approx(1 / 2)
    assert cell(scores, "mAP .40:.75 macro", column="trivial") == pytest.approx(1 / 4)
    assert cell(scores, "mAP .40:.75 nodule", column="trivial") == 0
    assert cell(scores, "sensitivity at 1 false", column="trivial") == pytest.approx(3 / 6)


def test_threshold_is_chosen_on_the_validation_images(tmp_path):
    _, scores = run(tmp_path, cases(), Numbers)
    details = json.loads((tmp_path / "evaluation.json").read_text())["details"]
    # Two false alarms at .7 and two at .6 on four images: at .6 there is one an image.
    assert details["threshold"] == pytest.approx(0.6)
    assert details["boxes"] == {"nodule": 3, "lung": 3}
    assert cell(scores, "sensitivity at score 0.60") == pytest.approx(3 / 6)
    assert cell(scores, "false positives an image at score 0.60") == pytest.approx(2 / 6)


def test_published_variant_is_a_column_of_its_own(tmp_path):
    _, mended = run(tmp_path / "mended", cases(), Numbers)
    _, published = run(tmp_path / "published", cases(), Numbers, protocol="published")
    assert set(mended["method"]) == {"this run"}
    assert set(published["method"]) == {"this run", "as published"}
    own = published[published["method"] == "this run"].drop(columns=["method", "note"]).reset_index(drop=True)
    pd.testing.assert_frame_equal(own, mended.drop(columns=["method", "note"]))
    # Cases 10 and 11 alone: both lungs found; of two nodules one, before a false alarm: 51 of 101 levels.
    other = "as published"
    assert cell(published, "mAP .40:.75 lung", other) == pytest.approx(1)
    assert cell(published, "mAP .40:.75 nodule", other) == pytest.approx(51 / 101)
    assert cell(published, "mAP .40:.75 nodule", other, "note") == "(2 of 6 images)"


def test_a_class_without_a_box_is_said(tmp_path):
    data = [
        {**item, "box": item["box"][item["label"] == 1], "label": item["label"][item["label"] == 1]} for item in cases()
    ]
    engine, scores = run(tmp_path, data, Numbers)
    assert np.isnan(cell(scores, "mAP .40:.75 nodule"))
    assert cell(scores, "mAP .40:.75 nodule", column="note") == "no box in 6 images"
    assert cell(scores, "mAP .40:.75 macro") == pytest.approx(67 / 101)
    assert "map_40_75_nodule" not in engine.state.metrics


def test_predictions_come_back_from_the_file(tmp_path):
    engine, _ = run(tmp_path, cases(), Numbers)
    table = pd.read_parquet(tmp_path / "predictions.parquet")
    scored = table[table["split"] == "test"]
    found = mean_over_classes(weighted_map(scored, NAMES, Draws.once(len(scored))))[0]
    assert found == pytest.approx(engine.state.metrics["map_40_75"])
    assert not table.astype(str).stack().str.contains("patient-").any()


@pytest.mark.parametrize("empty", [False, True], ids=["boxes", "none"])
def test_pictures(tmp_path, empty):
    data = [{**item, "box": item["box"][:0], "label": item["label"][:0]} for item in cases()] if empty else cases()
    run(tmp_path, data)
    drawn = {path.stem for path in (tmp_path / "pictures").glob("*.png")}
    expected = {"froc", "false_alarms"} | (set() if empty else {"worst_cases", "best_cases"})
    assert expected <= drawn
    page = (tmp_path / "report.html").read_text()
    assert "the same boxes on every image" in page
    assert "patient-" not in page


def test_items_without_boxes_are_told(tmp_path):
    report = Numbers(tmp_path, NAMES, nn.Identity(), Drawn([]))
    engine = Engine(lambda e, b: {"pred": [], "label": None})
    report.attach(engine)
    with pytest.raises(CxrError, match="boxes"):
        engine.run([[{"image_id": "a", "patient_id": "a"}]])
