"""From the draws of a score to what is told of it: its value, and an interval where the draws say something."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .draws import Floats

LEVEL = 0.95
# A share of 1/e of the draws lacks the only patient with a finding, and the others repeat that patient: their spread
# would say nothing. Of two patients with a finding, a share of 1/e² (.14) lacks both.
MOST_LOST = 0.25
MACRO = "macro"  # what the mean over classes is called
ONE_PATIENT = "no interval: one patient"


@dataclass(frozen=True)
class Estimate:
    """A score with its 95 % interval over patients, and what needs no learning.

    `reason` says why there is no value or no interval, or what the value covers or leaves out.
    """

    value: float | None
    lo: float | None = None
    hi: float | None = None
    trivial: float | None = None
    reason: str = ""

    def noted(self, note: str) -> Estimate:
        """The same with a note before the reason."""
        return replace(self, reason=_joined(note, self.reason))


@dataclass(frozen=True)
class Difference:
    """A paired difference `b - a` with its interval and two-sided bootstrap p-value, or the reason for having none."""

    value: float
    lo: float | None = None
    hi: float | None = None
    p: float | None = None
    reason: str = ""


def estimate(draws: ArrayLike, trivial: float | None = None, reason: str = "", unscored: str = "") -> Estimate:
    """The score of draws, of which the first is the images as they are.

    There is no interval where a quarter of the draws lost the score. A draw loses the score of a class when nothing
    that it is about was drawn: no positive (AUROC, average precision, Dice over positives), no true box, no query. A
    mean over classes is that of the classes a draw has; what it lost is the mean over the classes of what each of them
    lost, so a mean of classes that have no interval has none.

    Args:
        draws: `[1 + B]`, or `[C, 1 + B]` of the classes that the score is the mean of; NaN = lost.
        trivial: what needs no learning.
        reason: what the value leaves out; stands before the reason for having no interval.
        unscored: the reason where there is no value; default: "not defined on these images".
    """
    table = np.atleast_2d(np.asarray(draws, dtype=np.float64))
    level = None if trivial is None or np.isnan(trivial) else float(trivial)
    if not table.size or np.isnan(table[:, 0]).all():
        return Estimate(None, trivial=level, reason=unscored or "not defined on these images")
    if missing := no_interval(table):
        return Estimate(float(mean_over_classes(table)[0]), None, None, level, _joined(reason, missing))
    mean = mean_over_classes(table)
    lo, hi = percentiles(mean[1:])
    return Estimate(float(mean[0]), float(lo), float(hi), level, reason)


def estimate_macro(classes: Sequence[Estimate], draws: Sequence[Floats]) -> Estimate:
    """The mean over the classes that could be scored, and of their trivial levels; says how many are left out.

    Args:
        classes: all of them.
        draws: `[1 + B]` of each that has a value, in the same order.
    """
    scored = [one for one in classes if one.value is not None]
    levels = [one.trivial for one in scored if one.trivial is not None]
    left_out = "" if len(scored) == len(classes) else f"over {len(scored)} of {len(classes)} classes"
    return estimate(draws, float(np.mean(levels)) if levels else None, left_out, "no class could be scored")


def estimate_difference(a: ArrayLike, b: ArrayLike) -> Difference:
    """Compare two scores on the *same* draws.

    Args:
        a: `[1 + B]`, or `[C, 1 + B]`, as of `estimate`.
        b: likewise, of the same shape.

    Returns:
        `b - a` with its percentile interval; p = twice the smaller share of draws on either side of 0, with one draw
        added to each (Davison & Hinkley 1997, eq. 4.11), so it is never 0. None of them where a quarter of the draws
        lost either score.
    """
    first, second = (np.atleast_2d(np.asarray(side, dtype=np.float64)) for side in (a, b))
    change = mean_over_classes(second) - mean_over_classes(first)
    value = float(change[0])
    if missing := no_interval(np.where(np.isnan(first), np.nan, second)):
        return Difference(value, reason=missing)
    drawn = change[1:][np.isfinite(change[1:])]
    tail = min(int((drawn <= 0).sum()), int((drawn >= 0).sum()))
    lo, hi = percentiles(drawn)
    return Difference(value, float(lo), float(hi), min(1.0, 2 * (tail + 1) / (drawn.size + 1)))


def estimate_band(draws: ArrayLike) -> tuple[Floats, Floats] | None:
    """Percentile band of curves `[1 + B, g]`, lower and upper `[g]`; None where `estimate` would give no interval."""
    curves = np.asarray(draws, dtype=np.float64)
    lost: NDArray[np.bool_] = np.isnan(curves).all(axis=1)  # type: ignore[assignment]
    if no_interval(np.where(lost, np.nan, 0.0)[None]):
        return None
    lo, hi = percentiles(curves[1:][~lost[1:]])
    return lo, hi


def mean_over_classes(draws: Sequence[Floats] | NDArray[np.float64]) -> Floats:
    """`[D]` mean of the classes' `[D]`; a class that a draw lost is left out of that draw, NaN where all are lost."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Mean of empty slice")
        return np.asarray(np.nanmean(np.stack(list(draws)), axis=0), dtype=np.float64)


def no_interval(draws: Floats) -> str:
    """Why draws `[C, 1 + B]` give no interval; "" where they do."""
    if draws.shape[1] == 1:
        return ONE_PATIENT
    scored = ~np.isnan(draws[:, 0])
    lost = float(np.isnan(draws[scored, 1:]).mean())
    return f"no interval: {100 * lost:.0f} % of the draws lost it" if lost > MOST_LOST else ""


def percentiles(draws: Floats, level: float = LEVEL) -> Floats:
    """`[2, …]` ends of the percentile interval of draws `[B, …]`; what a draw lost (NaN) is left out."""
    tail = (1 - level) / 2 * 100
    return np.asarray(np.nanpercentile(draws, [tail, 100 - tail], axis=0), dtype=np.float64)


def _joined(*reasons: str) -> str:
    return "; ".join(reason for reason in reasons if reason)
