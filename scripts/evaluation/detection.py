"""The evaluation of detection: average precision and FROC over all images, beside boxes that never look at one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from ignite.engine import Engine

from scripts.evaluation.examples import Example
from scripts.evaluation.task_report import TaskReport, TaskScores, split_table
from scripts.metrics import patient_weights, percentile_interval
from scripts.metrics.bootstrap import Floats
from scripts.metrics.detection import (
    MAP_40_75,
    MAP_50_95,
    Matches,
    match_boxes,
    mean_over_classes,
    published_images,
    weighted_average_precision,
)
from scripts.metrics.detection_scores import detection_rows
from scripts.metrics.froc import FROC_IOU, RATES, froc_curve, pool_classes, weighted_sensitivity
from scripts.metrics.template_boxes import with_templates
from scripts.output import Score, ScoreRow, box_panel, plot_froc, plot_montage
from scripts.output.montage import Panel

METHOD = "this run"
PUBLISHED = "as published"
PRECISIONS = {"map_40_75": "mAP .40:.75", "map_50_95": "mAP .50:.95", "ap50": "AP .50"}
_IOUS = np.concatenate([MAP_40_75, MAP_50_95])
_COCO = len(MAP_40_75)  # where COCO's thresholds begin, with .50
_PARTS = {"map_40_75": slice(_COCO), "map_50_95": slice(_COCO, None), "ap50": slice(_COCO, _COCO + 1)}
_FP_GRID = np.geomspace(1 / 8, 8, 61)
_BAND_DRAWS = 200


class DetectionReport(TaskReport):
    """Report on a detector, over all images, those without a box included.

    Scores, of each class and macro, with 95 % intervals over patients: average precision at IoU .40:.05:.75, COCO's
    .50:.95, at .50; sensitivity at 0.5, 1 and 2 false positives an image (IoU of at least .50, all classes in one
    ranking); sensitivity and false positives at the score that gives one false positive an image on the validation
    images. Trivial is the same boxes on every image (`template_boxes`, chosen on the validation images). With
    `protocol="published"` a column of its own has the published tables' mAP, which leaves out every image without a
    sure detection or without a true box (`published_images`).

    The table has lists an image: `boxes`, `scores`, `classes`, `true_boxes`, `true_classes`, in pixels of the network's
    input.
    """

    heading: ClassVar[str] = "Detection"
    captions: ClassVar[Mapping[str, str]] = {
        "froc": "FROC: sensitivity at false positives an image, with a 95 % band",
        "worst_cases": "Worst cases: most boxes missed and false alarms",
        "best_cases": "Best cases: boxes found with the fewest false alarms",
        "false_alarms": "Surest detections where nothing is true",
    }

    def rows(self, engine: Engine) -> list[dict[str, Any]]:
        return detection_rows(engine.state.output)

    def score(self, table: pd.DataFrame) -> TaskScores:
        chosen, scored, _ = split_table(table)
        templates = with_templates(scored, chosen, len(self.names))
        # The first draw is the images as they are, so that a score and its interval come from the same code.
        once = np.ones((1, len(scored)))
        weights = once
        if scored["patient"].nunique() > 1:
            weights = np.vstack([once, patient_weights(scored["patient"].tolist(), self.resamples)])
        found = _precisions(scored, len(self.names), weights)
        trivial = _precisions(templates, len(self.names), once)
        truths = _truths(scored, len(self.names))
        rows: list[ScoreRow] = []
        metrics: dict[str, float] = {}
        groups = {"macro": list(range(len(self.names)))} | {name: [k] for k, name in enumerate(self.names)}
        for title, kinds in list(groups.items())[len(self.names) == 1 :]:
            boxes, images = int(truths[kinds].sum()), int((truths[kinds].sum(axis=0) > 0).sum())
            for key, words in PRECISIONS.items():
                draws = mean_over_classes([found[k][key] for k in kinds])
                floor = float(mean_over_classes([trivial[k][key] for k in kinds])[0])
                label = f"{words} {title}" + (f" ({boxes} boxes in {images} images)" if key == "map_40_75" else "")
                cells = {METHOD: _score(draws, f"no box in {len(scored)} images")}
                if self.protocol == "published" and key == "map_40_75":
                    cells[PUBLISHED] = self._published(scored, weights, kinds)
                rows.append(ScoreRow(label, cells, None if np.isnan(floor) else floor))
                metrics[key if title == "macro" or len(self.names) == 1 else f"{key}_{title}"] = float(draws[0])
        more, values, details = self._alarms(chosen, scored, templates, weights)
        metrics = {key: value for key, value in (metrics | values).items() if not np.isnan(value)}
        notes = [TRIVIAL] + ([PUBLISHED_NOTE] if self.protocol == "published" else [])
        details |= {"boxes": {name: int(truths[k].sum()) for k, name in enumerate(self.names)}}
        return TaskScores(rows + more, metrics, details, notes)

    def draw(self, table: pd.DataFrame, scores: TaskScores, pictures: Path) -> None:
        chosen, scored, _ = split_table(table)
        templates = pool_classes(
            match_boxes(with_templates(scored, chosen, len(self.names)), len(self.names), [FROC_IOU])
        )
        matches = match_boxes(scored, len(self.names), [FROC_IOU])
        pooled, threshold = pool_classes(matches), scores.details["threshold"]
        ranked = {"all": pooled, **dict(zip(self.names, matches))} if len(self.names) > 1 else {self.names[0]: pooled}
        # One band: those of several classes would cover each other.
        bands = {next(iter(ranked)): scored["patient"].tolist()}
        curves = {name: _curve(found, bands.get(name)) for name, found in ranked.items()}
        plot_froc(curves, pictures / "froc.png", self.captions["froc"], RATES, _curve(templates))
        sure = pooled.score >= (np.inf if threshold is None else threshold)
        count = {hit: np.bincount(pooled.image[sure & (pooled.hit[0] == hit)], minlength=len(scored)) for hit in (0, 1)}
        missed, false = pd.Series(pooled.truths - count[1], scored.index), pd.Series(count[0], scored.index)
        hits = pd.Series(count[1], scored.index)
        wrong = (missed + false)[lambda s: s > 0].sort_values(ascending=False, kind="stable")
        right = (false - hits)[hits > 0].sort_values(kind="stable")
        empty = pd.Series([max(found, default=0.0) for found in scored["scores"]], scored.index)
        empty = empty[(pooled.truths == 0) & (empty > 0)].sort_values(ascending=False, kind="stable")
        for stem, order in (("worst_cases", wrong), ("best_cases", right), ("false_alarms", empty)):
            panels = [
                self._panel(case, f"{missed[case.case]} missed, {false[case.case]} false", threshold)
                for case in self.examples(scored, order.index.tolist())
            ]
            if panels:
                plot_montage(panels, pictures / f"{stem}.png", self.captions[stem], columns=3)

    def _panel(self, case: Example, words: str, threshold: float | None) -> Panel:
        row = case.row
        true = (np.array(list(row["true_boxes"])).reshape(-1, 4), np.array(row["true_classes"], dtype=int))
        found = (
            np.array(list(row["boxes"])).reshape(-1, 4),
            np.array(row["classes"], dtype=int),
            np.array(row["scores"]),
        )
        return box_panel(case.grey, self.names, true, found, f"case {case.case}: {words}", threshold or 0.0)

    def _published(self, scored: pd.DataFrame, weights: Floats, kinds: Sequence[int]) -> Score:
        kept = published_images(scored)
        share = f"({len(kept)} of {len(scored)} images)"
        if kept.empty:
            return Score(None, note="no image has both a sure detection and a true box")
        found = _precisions(kept, len(self.names), weights[:, scored.index.isin(kept.index)])
        return _score(mean_over_classes([found[k]["map_40_75"] for k in kinds]), "no box", share)

    def _alarms(
        self, chosen: pd.DataFrame, scored: pd.DataFrame, templates: pd.DataFrame, weights: Floats
    ) -> tuple[list[ScoreRow], dict[str, float], dict[str, Any]]:
        """Rows, metrics and details of sensitivity against false positives, all classes in one ranking."""
        pooled, floor, before = (
            pool_classes(match_boxes(part, len(self.names), [FROC_IOU])) for part in (scored, templates, chosen)
        )
        none = f"no box in {len(scored)} images"
        draws, trivial = weighted_sensitivity(pooled, weights), weighted_sensitivity(floor, weights[:1])[0]
        rows, metrics = [], {}
        for i, rate in enumerate(RATES):
            label = f"sensitivity at {rate:g} false positives an image"
            least = None if np.isnan(trivial[i]) else float(trivial[i])
            rows.append(ScoreRow(label, {METHOD: _score(draws[:, i], none)}, least))
            metrics[f"sensitivity_{rate:g}fp".replace(".", "_")] = float(draws[0, i])
        curve = froc_curve(before)
        within = int((curve.false_positives <= 1).sum())
        if not within or not before.truths.sum():
            return rows, metrics, {"threshold": None}
        threshold = float(curve.threshold[within - 1])
        sure = pooled.score >= threshold
        # Counted by image first: draws of all detections of a large test set would be gigabytes.
        hits, false = (
            weights @ np.bincount(pooled.image[sure & (pooled.hit[0] == hit)], minlength=len(scored))
            for hit in (True, False)
        )
        with np.errstate(invalid="ignore", divide="ignore"):
            sensitivity, alarms = hits / (weights @ pooled.truths), false / weights.sum(axis=1)
        where = f"at score {threshold:.2f} (1 false positive an image where it was chosen)"
        rows.append(ScoreRow(f"sensitivity {where}", {METHOD: _score(sensitivity, none)}))
        rows.append(ScoreRow(f"false positives an image {where}", {METHOD: _score(alarms, none)}))
        return rows, metrics | {"false_positives_at_threshold": float(alarms[0])}, {"threshold": threshold}


TRIVIAL = (
    "Trivial is the same boxes on every image: those that overlap most validation boxes, scored by how often they do."
)
PUBLISHED_NOTE = (
    f"“{PUBLISHED}” leaves out every image without a detection above 0.5 or without a true box, as the published "
    "tables do: a missed finding and an alarm on a healthy image cost nothing there. Only for comparisons."
)


def _precisions(table: pd.DataFrame, classes: int, weights: Floats) -> list[dict[str, Floats]]:
    """`[B]` of each average precision, of each class."""
    found = [weighted_average_precision(one, weights) for one in match_boxes(table, classes, _IOUS)]
    return [{key: draws[:, part].mean(axis=1) for key, part in _PARTS.items()} for draws in found]


def _truths(table: pd.DataFrame, classes: int) -> np.ndarray:
    """`[C, n]` true boxes of each class in each image."""
    return np.array([[list(kinds).count(k) for kinds in table["true_classes"]] for k in range(classes)])


def _score(draws: Floats, missing: str, note: str = "") -> Score:
    """Score of draws `[B]`, the first of which is the value itself."""
    if np.isnan(draws[0]):
        return Score(None, note=missing)
    lo, hi = percentile_interval(draws[1:]) if len(draws) > 1 else (None, None)
    return Score(float(draws[0]), lo, hi, note)


def _curve(matches: Matches, groups: Sequence[Any] | None = None) -> dict[str, Floats]:
    """A curve for `plot_froc`, with a band when patients are given; without a true box it has no points."""
    if not matches.truths.sum():
        return {"fp": np.zeros(0), "sensitivity": np.zeros(0)}
    once = np.ones((1, len(matches.truths)))
    curve = {"fp": _FP_GRID, "sensitivity": weighted_sensitivity(matches, once, _FP_GRID.tolist())[0]}
    if groups is None or len(set(groups)) < 2:
        return curve
    draws = weighted_sensitivity(matches, patient_weights(groups, _BAND_DRAWS), _FP_GRID.tolist())
    lo, hi = np.nanpercentile(draws, [2.5, 97.5], axis=0)
    return curve | {"lo": lo, "hi": hi}
