"""Average precision against pycocotools, by hand, and over draws; the published variant; the Ignite metric."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pandas as pd
import pytest
import torch
from ignite.engine import Engine

from scripts.errors import CxrError
from scripts.metrics import (
    MAP_40_75,
    MAP_50_95,
    DetectionScores,
    box_iou,
    match_boxes,
    published_images,
    template_boxes,
    weighted_map,
    with_templates,
)

NAMES = ["nodule", "opacity", "lung"]


def random_table(seed, images=25, whole=False):
    """True boxes and detections, most of them near a true one; `whole` gives whole pixels and tied scores."""
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(images):
        n, d = int(rng.integers(0, 4)), int(rng.integers(0, 7))
        true, found = (np.c_[(p := rng.uniform(0, 60, (k, 2))), p + rng.uniform(8, 40, (k, 2))] for k in (n, d))
        near = np.flatnonzero(rng.random(min(n, d)) < 0.7)
        found[near] = true[near] + rng.normal(0, 3, (len(near), 4))
        found[:, 2:] = np.maximum(found[:, 2:], found[:, :2] + 1)
        labels, kinds = rng.integers(0, 3, n), rng.integers(0, 3, d)
        kinds[near] = labels[near]
        scores = rng.random(d)
        if whole:
            true, found, scores = true.round(), found.round(), scores.round(1)
        row = {"boxes": found, "scores": scores, "classes": kinds, "true_boxes": true, "true_classes": labels}
        rows.append({key: value.tolist() for key, value in row.items()})
    return pd.DataFrame(rows)


def coco_map(table, ious, limit=100):
    """The same number by pycocotools."""
    coco = pytest.importorskip("pycocotools.coco")
    cocoeval = pytest.importorskip("pycocotools.cocoeval")
    truths: list[dict] = []
    found: list[dict] = []
    for i, row in enumerate(table.itertuples()):
        for (x0, y0, x1, y1), kind in zip(row.true_boxes, row.true_classes):
            size = {"bbox": [x0, y0, x1 - x0, y1 - y0], "area": (x1 - x0) * (y1 - y0)}
            truths.append({"id": len(truths) + 1, "image_id": i, "category_id": kind, "iscrowd": 0, **size})
        for (x0, y0, x1, y1), score, kind in zip(row.boxes, row.scores, row.classes):
            found.append({"image_id": i, "category_id": kind, "bbox": [x0, y0, x1 - x0, y1 - y0], "score": score})
    with contextlib.redirect_stdout(io.StringIO()):
        true = coco.COCO()
        true.dataset = {
            "images": [{"id": i} for i in range(len(table))],
            "categories": [{"id": k} for k in range(len(NAMES))],
            "annotations": truths,
        }
        true.createIndex()
        evaluation = cocoeval.COCOeval(true, true.loadRes(found), "bbox")
        evaluation.params.iouThrs = np.asarray(ious)
        evaluation.params.maxDets = [limit] * 3
        evaluation.evaluate()
        evaluation.accumulate()
    precision = evaluation.eval["precision"][:, :, :, 0, 2]
    return precision[precision > -1].mean()


@pytest.mark.parametrize("ious", [MAP_40_75, MAP_50_95, [0.5]], ids=["chest", "coco", "50"])
@pytest.mark.parametrize("whole", [False, True], ids=["random", "ties"])
def test_agrees_with_pycocotools(ious, whole):
    for seed in range(12):
        table = random_table(seed, 2 + 3 * seed, whole)
        assert weighted_map(table, NAMES, np.ones((1, len(table))), ious)[0] == pytest.approx(
            coco_map(table, ious), abs=1e-6
        )


def test_limit_of_detections_agrees_with_pycocotools():
    table = random_table(3)
    found = weighted_map(table, NAMES, np.ones((1, len(table))), MAP_50_95, limit=1)[0]
    assert found == pytest.approx(coco_map(table, MAP_50_95, limit=1), abs=1e-6)
    assert found != pytest.approx(coco_map(table, MAP_50_95), abs=1e-3)


def test_a_weight_is_a_repeated_image():
    table = random_table(7, 30)
    weights = np.random.default_rng(0).integers(0, 3, (6, 30)).astype(float)
    found = weighted_map(table, NAMES, weights, MAP_50_95)
    for draw, value in zip(weights.astype(int), found):
        repeated = table.loc[np.repeat(np.arange(30), draw)].reset_index(drop=True)
        assert value == pytest.approx(coco_map(repeated, MAP_50_95), abs=1e-6)


def test_chunks_do_not_change_the_draws(monkeypatch):
    table = random_table(1, 20)
    weights = np.random.default_rng(0).poisson(1, (50, 20)).astype(float)
    expected = weighted_map(table, NAMES, weights)
    monkeypatch.setattr("scripts.metrics.detection.CHUNK", 100)
    np.testing.assert_array_equal(weighted_map(table, NAMES, weights), expected)


def test_by_hand():
    # Ranking of one class: hit, false (on an image without a box), hit; two true boxes.
    box = [0.0, 0.0, 10.0, 10.0]
    rows = [([box], [0.9], [0], [box], [0]), ([box], [0.8], [0], [], []), ([box], [0.7], [0], [box], [0])]
    table = pd.DataFrame(rows, columns=["boxes", "scores", "classes", "true_boxes", "true_classes"])
    # Precision is 1 up to recall .5 (51 of the 101 levels), then 2/3; without the healthy image it would be 1.
    expected = (51 + 50 * 2 / 3) / 101
    assert weighted_map(table, ["nodule"], np.array([[1.0, 1, 1], [1, 0, 1], [0, 1, 0]]), [0.5]) == pytest.approx(
        [expected, 1, np.nan], nan_ok=True
    )
    # A class without a true box is left out of the mean.
    assert weighted_map(table, ["nodule", "lung"], np.ones((1, 3)), [0.5]) == pytest.approx([expected])


def test_overlap_by_hand():
    found = box_iou([[0, 0, 4, 2], [0, 0, 2, 4]], [[0, 0, 4, 4], [2, 1, 4, 2], [10, 10, 10, 10]])
    np.testing.assert_allclose(found, [[8 / 16, 2 / 8, 0], [8 / 16, 0, 0]])
    assert box_iou([], [[0, 0, 1, 1]]).shape == (0, 1)


def test_of_two_detections_of_one_box_one_is_false():
    table = pd.DataFrame(
        {
            "boxes": [[[0, 0, 10, 10], [0, 0, 10, 9]]],
            "scores": [[0.6, 0.9]],
            "classes": [[0, 0]],
            "true_boxes": [[[0, 0, 10, 10]]],
            "true_classes": [[0]],
        }
    )
    (found,) = match_boxes(table, 1, [0.5, 0.95])
    assert found.score.tolist() == [0.9, 0.6]
    assert found.hit.tolist() == [[True, False], [False, True]]  # at .95 the surer one does not reach it


def test_published_variant_leaves_out_what_is_missed_and_healthy():
    box = [0.0, 0.0, 10.0, 10.0]
    rows = [
        ([box, box], [0.9, 0.3], [0, 0], [box], [0]),  # stays, without the unsure detection
        ([box], [0.4], [0], [box], [0]),  # missed
        ([box], [0.9], [0], [], []),  # false alarm
    ]
    table = pd.DataFrame(rows, columns=["boxes", "scores", "classes", "true_boxes", "true_classes"])
    kept = published_images(table)
    assert kept.index.tolist() == [0]
    assert kept.loc[0, "scores"] == [0.9]
    assert weighted_map(kept, ["nodule"], np.ones((1, 1)))[0] == pytest.approx(1)
    assert weighted_map(table, ["nodule"], np.ones((1, 3)))[0] < 0.9
    assert len(table.loc[0, "scores"]) == 2  # the table itself is left alone


def test_template_is_the_box_that_fits_most():
    rng = np.random.default_rng(0)
    left, right = np.array([10.0, 20, 40, 80]), np.array([55.0, 20, 90, 80])
    true = [[(left + rng.uniform(-2, 2, 4)).tolist(), (right + rng.uniform(-2, 2, 4)).tolist()] for _ in range(9)]
    true.append([])
    table = pd.DataFrame({"true_boxes": true, "true_classes": [[0, 0]] * 9 + [[]]})
    boxes, scores, labels = template_boxes(table, 2)
    assert labels == [0, 0]
    assert scores == pytest.approx([0.9, 0.9])
    assert sorted(np.argmax(box_iou(boxes, [left, right]), axis=1).tolist()) == [0, 1]
    assert weighted_map(with_templates(table, table, 2), ["lung", "none"], np.ones((1, 10)), [0.5])[0] > 0.85


def epoch_output(table):
    def tensors(row, box, label):
        return {"box": torch.tensor(row[box]).reshape(-1, 4), "label": torch.tensor(row[label], dtype=torch.int64)}

    rows = table.to_dict("records")
    found = [tensors(row, "boxes", "classes") | {"score": torch.tensor(row["scores"])} for row in rows]
    return found, [tensors(row, "true_boxes", "true_classes") for row in rows]


@pytest.mark.parametrize("decollated", [False, True])
def test_ignite_metric_equals_the_functions(decollated):
    table = random_table(5, 12)
    found, true = epoch_output(table)
    metric, engine = DetectionScores(NAMES), Engine(lambda e, b: None)
    for part in (slice(0, 5), slice(5, 12), slice(0, 3)):  # the last one repeats images, as a sampler over ranks does
        engine.state.batch = [{"image_id": str(i)} for i in range(12)[part]]
        output = {"pred": found[part], "label": true[part]}
        engine.state.output = [dict(zip(output, pair)) for pair in zip(*output.values())] if decollated else output
        metric.iteration_completed(engine)
    metric.completed(engine, "key")
    scores = engine.state.metrics
    assert scores["key"] == scores["map_40_75"] == pytest.approx(coco_map(table, MAP_40_75), abs=1e-6)
    assert scores["map_50_95"] == pytest.approx(coco_map(table, MAP_50_95), abs=1e-6)
    assert scores["ap50"] == pytest.approx(coco_map(table, [0.5]), abs=1e-6)
    assert 0 < scores["sensitivity_1fp"] <= 1
    assert {f"map_40_75_{name}" for name in NAMES} <= scores.keys()
    assert all(isinstance(value, float) for value in scores.values())


def test_metric_says_what_it_cannot_score():
    metric = DetectionScores(["nodule"])
    with pytest.raises(CxrError, match="no image"):
        metric.compute()
    found = {"box": torch.zeros(0, 4), "label": torch.zeros(0, dtype=torch.int64), "score": torch.zeros(0)}
    metric.update(({"pred": [found], "label": [found]}, [{"image_id": "a"}]))
    with pytest.raises(CxrError, match="nodule"):
        metric.compute()
    with pytest.raises(CxrError, match="boxes"):
        metric.update(({"pred": [found], "label": None}, [{"image_id": "a"}]))
