"""Average precision against pycocotools, by hand, and over draws; the published variant; the Ignite metric."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pandas as pd
import pytest
import torch
from ignite.engine import Engine
from sklearn.metrics import precision_recall_curve

from scripts.errors import CxrError
from scripts.statistics.draws import Draws
from scripts.statistics.estimate import mean_over_classes
from scripts.tasks.detection.average_precision import (
    MAP_40_75,
    MAP_50_95,
    box_iou,
    match_boxes,
    published_images,
    weighted_average_precision,
    weighted_map,
)
from scripts.tasks.detection.froc import pool_classes, weighted_sensitivity
from scripts.tasks.detection.metric import DetectionScores
from scripts.tasks.detection.template_boxes import template_boxes, with_templates

NAMES = ["nodule", "opacity", "lung"]


def random_table(seed, images=25, whole=False, ties=False):
    """True boxes and detections, most of them near a true one; `whole` gives whole pixels, `ties` equal scores."""
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
            true, found = true.round(), found.round()
        scores = scores.round(1) if ties else scores
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
@pytest.mark.parametrize("whole", [False, True], ids=["random", "whole pixels"])
def test_agrees_with_pycocotools(ious, whole):
    for seed in range(12):
        table = random_table(seed, 2 + 3 * seed, whole)
        assert mean_over_classes(weighted_map(table, NAMES, Draws.once(len(table)), ious))[0] == pytest.approx(
            coco_map(table, ious), abs=1e-6
        )


@pytest.mark.parametrize("ties", [False, True])
def test_agrees_with_scikit_learns_curve_whose_equal_scores_are_one_point(ties):
    table = random_table(5, 30, ties=ties)
    for found in match_boxes(table, len(NAMES), MAP_50_95):
        value = weighted_average_precision(found, Draws.once(30))[0]
        assert len(np.unique(found.score)) < len(found.score) or not ties
        for hit, area in zip(found.hit, value, strict=True):
            if not hit.any():
                assert area == 0
                continue
            precision, recall, _ = precision_recall_curve(hit, found.score)
            # Its last point is made up; its recall is of the detections that hit, COCO's of all true boxes.
            precision, recall = precision[:-1], recall[:-1] * hit.sum() / found.truths.sum()
            levels = [precision[recall >= level].max(initial=0) for level in np.linspace(0, 1, 101)]
            assert area == pytest.approx(np.mean(levels), abs=1e-9)


def shuffled(table, seed):
    """The images in another order, and the detections of each."""
    table = table.sample(frac=1, random_state=seed, ignore_index=True)
    rng = np.random.default_rng(seed)
    orders = [rng.permutation(len(scores)) for scores in table["scores"]]
    columns = {key: table[key].tolist() for key in ("boxes", "scores", "classes")}
    return table.assign(
        **{key: [[row[i] for i in order] for row, order in zip(column, orders)] for key, column in columns.items()}
    )


def test_the_order_of_images_and_of_equal_detections_does_not_count():
    table = random_table(2, 30, ties=True)
    for other in (shuffled(table, seed) for seed in range(5)):
        np.testing.assert_allclose(
            weighted_map(other, NAMES, Draws.once(30)), weighted_map(table, NAMES, Draws.once(30))
        )
        np.testing.assert_allclose(template_level(other), template_level(table))
        assert weighted_sensitivity(pooled(other), Draws.once(30)) == pytest.approx(
            weighted_sensitivity(pooled(table), Draws.once(30))
        )


def template_level(table):
    return weighted_map(with_templates(table, table, len(NAMES)), NAMES, Draws.once(len(table)))


def pooled(table):
    return pool_classes(match_boxes(table, len(NAMES), [0.5]))


@pytest.mark.parametrize("first", [True, False], ids=["positives first", "positives last"])
def test_one_answer_for_all_images_scores_the_share_that_it_fits(first):
    box = [0.0, 0.0, 10.0, 10.0]
    true = [[box]] * 3 + [[]] * 17
    table = pd.DataFrame({"true_boxes": true if first else true[::-1]})
    table["true_classes"] = [[0] * len(boxes) for boxes in table["true_boxes"]]
    # One threshold: all of it or nothing. Recall 1 at precision 3 / 20.
    assert weighted_map(with_templates(table, table, 1), ["a"], Draws.once(20))[0, 0] == pytest.approx(3 / 20)


def test_limit_of_detections_agrees_with_pycocotools():
    table = random_table(3)
    found = mean_over_classes(weighted_map(table, NAMES, Draws.once(len(table)), MAP_50_95, limit=1))[0]
    assert found == pytest.approx(coco_map(table, MAP_50_95, limit=1), abs=1e-6)
    assert found != pytest.approx(coco_map(table, MAP_50_95), abs=1e-3)


def test_a_weight_is_a_repeated_image():
    table = random_table(7, 30)
    weights = np.random.default_rng(0).integers(0, 3, (6, 30)).astype(float)
    found = mean_over_classes(weighted_map(table, NAMES, Draws.of_weights(weights), MAP_50_95))
    for draw, value in zip(weights.astype(int), found):
        repeated = table.loc[np.repeat(np.arange(30), draw)].reset_index(drop=True)
        assert value == pytest.approx(coco_map(repeated, MAP_50_95), abs=1e-6)


def test_chunks_do_not_change_the_draws(monkeypatch):
    table = random_table(1, 20)
    weights = np.random.default_rng(0).poisson(1, (50, 20)).astype(float)
    draws = Draws.of_weights(weights)
    expected = weighted_map(table, NAMES, draws)
    monkeypatch.setattr("scripts.statistics.draws.CHUNK", 100)
    np.testing.assert_array_equal(weighted_map(table, NAMES, draws), expected)


def test_by_hand():
    # Ranking of one class: hit, false (on an image without a box), hit; two true boxes.
    box = [0.0, 0.0, 10.0, 10.0]
    rows = [([box], [0.9], [0], [box], [0]), ([box], [0.8], [0], [], []), ([box], [0.7], [0], [box], [0])]
    table = pd.DataFrame(rows, columns=["boxes", "scores", "classes", "true_boxes", "true_classes"])
    # Precision is 1 up to recall .5 (51 of the 101 levels), then 2/3; without the healthy image it would be 1.
    expected = (51 + 50 * 2 / 3) / 101
    draws = Draws.of_weights([[1, 1, 1], [1, 0, 1], [0, 1, 0]])
    np.testing.assert_allclose(weighted_map(table, ["nodule"], draws, [0.5]), [[expected, 1, np.nan]])
    # A class without a true box has no score.
    found = weighted_map(table, ["nodule", "lung"], Draws.once(3), [0.5])
    np.testing.assert_allclose(found, [[expected], [np.nan]])


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
    assert weighted_map(kept, ["nodule"], Draws.once(1))[0, 0] == pytest.approx(1)
    assert weighted_map(table, ["nodule"], Draws.once(3))[0, 0] < 0.9
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
    assert weighted_map(with_templates(table, table, 2), ["lung", "none"], Draws.once(10), [0.5])[0, 0] > 0.85


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
