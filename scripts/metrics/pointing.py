"""How well a heat map points at a finding: the pointing game and the contrast between inside and outside of its boxes,
beside what needs no look at the image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ..statistics.draws import Draws, Floats, Groups
from ..statistics.estimate import MACRO, Estimate, estimate


class Pointing(NamedTuple):
    """What one heat map says about the boxes of one finding in one image.

    `hit` 1 where the largest value lies in a box, else 0; `contrast` see `contrast`; `area` the share of the image that
    the boxes cover, which is what pointing at random scores; `centre` 1 where the image's middle lies in a box.
    """

    hit: float
    contrast: float
    area: float
    centre: float


@dataclass(frozen=True)
class GroundingScore:
    """Scores of one finding, or of their mean, with 95 % intervals over patients.

    `hit` has the boxes' share of the image as `trivial`, `contrast` 0; `centre` is `hit` of the image's middle, and
    `over_centre` the paired difference between the two.
    """

    pairs: int
    hit: Estimate
    centre: Estimate
    over_centre: Estimate
    contrast: Estimate


def point(heat: NDArray[np.floating], boxes: ArrayLike) -> Pointing:
    """Score a heat map.

    Args:
        heat: `[H, W]`; where several pixels share the largest value, `hit` is the share of them in a box.
        boxes: `[n, 4]`, xyxy in pixels of `heat`; at least one has area in it.
    """
    inside = box_mask(boxes, heat.shape)
    largest = heat == heat.max()
    middle = inside[(heat.shape[0] - 1) // 2, (heat.shape[1] - 1) // 2]
    return Pointing(float(inside[largest].mean()), contrast(heat, inside), float(inside.mean()), float(middle))


def contrast(heat: NDArray[np.floating], inside: NDArray[np.bool_]) -> float:
    """Difference of the means inside and outside, over the root of the summed variances.

    The contrast-to-noise ratio of BioViL (Boecking et al. 2022, §4.3), which takes its absolute value; here a map that
    avoids the finding is negative. 0 for a constant map, and where there is no outside.

    Args:
        heat: `[H, W]`.
        inside: `[H, W]`.
    """
    if inside.all() or not inside.any():
        return 0.0
    a, b = heat[inside].astype(np.float64), heat[~inside].astype(np.float64)
    noise = float(np.sqrt(a.var() + b.var()))
    return float(a.mean() - b.mean()) / noise if noise > 1e-12 else 0.0


def box_mask(boxes: ArrayLike, shape: Sequence[int]) -> NDArray[np.bool_]:
    """`[H, W]` pixels whose middle lies in a box; a box that holds none keeps the pixel of its own middle."""
    mask = np.zeros(tuple(shape), dtype=bool)
    last = np.array([shape[1], shape[0]]) - 1
    for box in np.asarray(boxes, dtype=np.float64).reshape(-1, 4):
        low, high = np.ceil(box[:2] - 0.5).astype(int), np.ceil(box[2:] - 0.5).astype(int)
        if (high <= low).any():
            low = np.minimum(((box[:2] + box[2:]) / 2).astype(int), last)
            high = low + 1
        (x0, y0), (x1, y1) = np.maximum(low, 0), high
        mask[y0:y1, x0:x1] = True
    return mask


def grounding_scores(table: pd.DataFrame, patients: Groups, resamples: int = 1000) -> dict[str, GroundingScore]:
    """`macro` over the findings, and each finding.

    A finding whose boxes are one patient's has no interval; it is left out of the macro average, which single boxes
    would decide, as long as there is another.

    Args:
        table: a row a pair of image and finding: `finding` and the fields of `Pointing`.
        patients: `[n]` of each row.
        resamples: of the bootstrap.
    """
    draws = Draws.of(patients, resamples)
    values = {key: table[key].to_numpy(dtype=np.float64) for key in ("hit", "centre", "contrast")}
    values["over_centre"] = values["hit"] - values["centre"]
    area, drawn, found = {}, {}, {}
    for name in dict.fromkeys(table["finding"]):
        place = np.flatnonzero(table["finding"] == name)
        area[name] = float(table["area"].to_numpy()[place].mean())
        drawn[name] = {key: draws[place].mean(value[place])[None] for key, value in values.items()}
        found[name] = _score(len(place), drawn[name], area[name])
    several = [name for name, score in found.items() if score.hit.lo is not None] or list(found)
    mean = {key: np.concatenate([drawn[name][key] for name in several]) for key in values}
    left_out = "" if len(several) == len(found) else f"over {len(several)} of {len(found)} findings"
    pairs = sum(found[name].pairs for name in several)
    level = float(np.mean([area[name] for name in several]))
    return {MACRO: _score(pairs, mean, level, left_out)} | found


def _score(pairs: int, drawn: dict[str, Floats], area: float, left_out: str = "") -> GroundingScore:
    trivial = {"hit": area, "over_centre": 0.0, "contrast": 0.0}
    return GroundingScore(pairs, **{key: estimate(drawn[key], trivial.get(key), left_out) for key in drawn})
