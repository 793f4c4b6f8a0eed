"""The evaluation of detection: average precision and FROC over all images, beside boxes that never look at one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from ignite.engine import Engine

from ...figures.montage import Panel, plot_montage
from ...figures.overlays import box_panel
from ...statistics.draws import Draws, Floats, ratio
from ...statistics.estimate import MACRO, Estimate, estimate, estimate_band, mean_over_classes
from ...tables.scores import ScoreRow, run_row
from ..examples import Example
from ..report import TaskReport, TaskScores, split_table
from .average_precision import (
    MAP_40_75,
    MAP_50_95,
    Matches,
    match_boxes,
    published_images,
    weighted_average_precision,
)
from .froc import FROC_IOU, RATES, froc_curve, pool_classes, weighted_sensitivity
from .froc_figure import plot_froc
from .metric import detection_rows
from .template_boxes import with_templates

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
        draws = Draws.of(scored["patient"].tolist(), self.resamples)
        found = _precisions(scored, len(self.names), draws)
        trivial = _precisions(templates, len(self.names), draws.as_they_are())
        truths = _truths(scored, len(self.names))
        rows: list[ScoreRow] = []
        metrics: dict[str, float | None] = {}
        groups = {MACRO: list(range(len(self.names)))} | {name: [k] for k, name in enumerate(self.names)}
        for title, kinds in list(groups.items())[len(self.names) == 1 :]:
            boxes, images = int(truths[kinds].sum()), int((truths[kinds].sum(axis=0) > 0).sum())
            for key, words in PRECISIONS.items():
                floor = float(mean_over_classes([trivial[k][key] for k in kinds])[0])
                one = estimate([found[k][key] for k in kinds], floor, unscored=f"no box in {len(scored)} images")
                label = f"{words} {title}" + (f" ({boxes} boxes in {images} images)" if key == "map_40_75" else "")
                row = run_row(label, one)
                if self.protocol == "published" and key == "map_40_75":
                    row = replace(row, scores={**row.scores, PUBLISHED: self._published(scored, draws, kinds)})
                rows.append(row)
                metrics[key if title == MACRO or len(self.names) == 1 else f"{key}_{title}"] = one.value
        more, values, details = self._alarms(chosen, scored, templates, draws)
        present = {key: value for key, value in (metrics | values).items() if value is not None}
        notes = [TRIVIAL] + ([PUBLISHED_NOTE] if self.protocol == "published" else [])
        details |= {"boxes": {name: int(truths[k].sum()) for k, name in enumerate(self.names)}}
        return TaskScores(rows + more, present, details, notes)

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

    def _published(self, scored: pd.DataFrame, draws: Draws, kinds: Sequence[int]) -> Estimate:
        kept = published_images(scored)
        share = f"({len(kept)} of {len(scored)} images)"
        if kept.empty:
            return Estimate(None, reason="no image has both a sure detection and a true box")
        found = _precisions(kept, len(self.names), draws[scored.index.isin(kept.index)])
        return estimate([found[k]["map_40_75"] for k in kinds], unscored="no box").noted(share)

    def _alarms(
        self, chosen: pd.DataFrame, scored: pd.DataFrame, templates: pd.DataFrame, draws: Draws
    ) -> tuple[list[ScoreRow], dict[str, float | None], dict[str, Any]]:
        """Rows, metrics and details of sensitivity against false positives, all classes in one ranking."""
        pooled, floor, before = (
            pool_classes(match_boxes(part, len(self.names), [FROC_IOU])) for part in (scored, templates, chosen)
        )
        none = f"no box in {len(scored)} images"
        drawn, trivial = weighted_sensitivity(pooled, draws), weighted_sensitivity(floor, draws.as_they_are())[0]
        rows: list[ScoreRow] = []
        metrics: dict[str, float | None] = {}
        for i, rate in enumerate(RATES):
            found = estimate(drawn[:, i], trivial[i], unscored=none)
            label = f"sensitivity at {rate:g} false positives an image"
            rows.append(run_row(label, found))
            metrics[f"sensitivity_{rate:g}fp".replace(".", "_")] = found.value
        curve = froc_curve(before)
        within = int((curve.false_positives <= 1).sum())
        if not within or not before.truths.sum():
            return rows, metrics, {"threshold": None}
        threshold = float(curve.threshold[within - 1])
        sure = pooled.score >= threshold
        hits, false = (
            np.bincount(pooled.image[sure & (pooled.hit[0] == hit)], minlength=len(scored)) for hit in (True, False)
        )
        sensitivity = estimate(ratio(draws.total(hits), draws.total(pooled.truths)), unscored=none)
        alarms = estimate(draws.mean(false))
        where = f"at score {threshold:.2f} (1 false positive an image where it was chosen)"
        rows += [run_row(f"sensitivity {where}", sensitivity), run_row(f"false positives an image {where}", alarms)]
        return rows, metrics | {"false_positives_at_threshold": alarms.value}, {"threshold": threshold}


TRIVIAL = (
    "Trivial is the same boxes on every image: those that overlap most validation boxes, scored by how often they do."
)
PUBLISHED_NOTE = (
    f"“{PUBLISHED}” leaves out every image without a detection above 0.5 or without a true box, as the published "
    "tables do: a missed finding and an alarm on a healthy image cost nothing there. Only for comparisons."
)


def _precisions(table: pd.DataFrame, classes: int, draws: Draws) -> list[dict[str, Floats]]:
    """`[D]` of each average precision, of each class."""
    found = [weighted_average_precision(one, draws) for one in match_boxes(table, classes, _IOUS)]
    return [{key: drawn[:, part].mean(axis=1) for key, part in _PARTS.items()} for drawn in found]


def _truths(table: pd.DataFrame, classes: int) -> np.ndarray:
    """`[C, n]` true boxes of each class in each image."""
    return np.array([[list(kinds).count(k) for kinds in table["true_classes"]] for k in range(classes)])


def _curve(matches: Matches, groups: Sequence[Any] | None = None) -> dict[str, Floats]:
    """A curve for `plot_froc`, with a band when patients are given; without a true box it has no points."""
    if not matches.truths.sum():
        return {"fp": np.zeros(0), "sensitivity": np.zeros(0)}
    draws = Draws.once(len(matches.truths)) if groups is None else Draws.of(groups, _BAND_DRAWS)
    heights = weighted_sensitivity(matches, draws, _FP_GRID.tolist())
    band = estimate_band(heights)
    return {"fp": _FP_GRID, "sensitivity": heights[0]} | ({} if band is None else {"lo": band[0], "hi": band[1]})
