"""Whether a probability means what it says: temperature scaling and expected calibration error."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize_scalar
from scipy.special import expit, log_softmax

from ...atomic import write_text_atomically
from ...errors import CxrError
from ...metrics.binary import Mode
from ...statistics.draws import Draws, Floats, ratio

BINS = 15  # Guo et al. 2017
WIDEST = 20.0  # temperature; a validation set that is separated, or upside down, would have none


@dataclass(frozen=True)
class Calibration:
    """What validation images decided, and inference repeats: `calibration.json`.

    `p = sigmoid(logit / temperature)`, or softmax in multiclass; a finding is called present when `p` reaches its
    threshold. In multiclass the most probable class is the answer, and `thresholds` is None.
    """

    mode: Mode
    temperature: float
    thresholds: Mapping[str, float] | None

    def write(self, path: str | Path) -> None:
        """Write as JSON."""
        write_text_atomically(json.dumps(asdict(self), indent=1), path)


def read_calibration(path: str | Path) -> Calibration:
    """Inverse of `Calibration.write`; raises a CxrError for a file that is no calibration."""
    try:
        content: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
        found = content["thresholds"]
        thresholds = None if found is None else {str(name): float(value) for name, value in found.items()}
        calibration = Calibration(content["mode"], float(content["temperature"]), thresholds)
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise CxrError(
            f"{path} is not a calibration ({error}): run evaluating, which writes calibration.json."
        ) from error
    if not calibration.temperature > 0:
        raise CxrError(f"{path}: temperature must be above 0, got {calibration.temperature}.")
    return calibration


def predicted_probabilities(logits: ArrayLike, mode: Mode, temperature: float = 1.0) -> Floats:
    """`[n, c]` probabilities of `[n, c]` logits: a sigmoid each, or softmax over the classes."""
    scaled = np.asarray(logits, dtype=np.float64) / temperature
    return np.asarray(np.exp(log_softmax(scaled, axis=1)) if mode == "multiclass" else expit(scaled), dtype=np.float64)


def fit_temperature(logits: ArrayLike, labels: ArrayLike, mode: Mode) -> float:
    """The temperature that minimises the negative log likelihood (Guo et al. 2017, "On Calibration of Modern Neural
    Networks"), one for all classes.

    Args:
        logits: `[n, c]` of the validation images.
        labels: `[n, c]` of 1, 0, NaN (left out).
        mode: binary entries, or one class an image.

    Returns:
        Between 1/20 and 20: separated images have no optimum. 1 when there is nothing to fit (no known entry, or all
        of them alike).
    """
    x, y = np.asarray(logits, dtype=np.float64), np.asarray(labels, dtype=np.float64)
    known = ~np.isnan(y)
    if mode == "multiclass":
        rows = known.all(axis=1)
        x, truth = x[rows], y[rows].argmax(axis=1) if rows.any() else np.zeros(0, dtype=int)
    else:
        x, truth = x[known], y[known]
    if len(np.unique(truth)) < 2:
        return 1.0

    def loss(log_temperature: float) -> float:
        scaled = x / np.exp(log_temperature)
        if mode == "multiclass":
            return float(-log_softmax(scaled, axis=1)[np.arange(len(truth)), truth].mean())
        return float((np.logaddexp(0, scaled) - truth * scaled).mean())

    # Convex in 1 / T, so it has one minimum in log T too.
    bound = np.log(WIDEST)
    return float(np.exp(minimize_scalar(loss, bounds=(-bound, bound), method="bounded", options={"xatol": 1e-7}).x))


def weighted_ece(labels: ArrayLike, predicted: ArrayLike, draws: Draws, bins: int = BINS) -> Floats:
    """Expected calibration error in each draw: mean over images of |observed - predicted| of their bin.

    Few images make it too large, never too small: each draw of a bootstrap lies above the value on average.

    Args:
        labels: `[n]` of 0 and 1: the finding, or whether the answer was right.
        predicted: `[n]` probability of that.
        draws: of the n images.
        bins: of equal width.

    Returns:
        `[D]`, NaN where a draw is empty.
    """
    truth, p = np.asarray(labels, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    gaps = np.zeros((len(p), bins))
    gaps[np.arange(len(p)), np.minimum((p * bins).astype(int), bins - 1)] = truth - p
    return ratio(np.abs(draws.total(gaps)).sum(axis=1), draws.size())


def top_answer(labels: ArrayLike, predicted: ArrayLike) -> tuple[Floats, Floats]:
    """Whether the most probable class is right `[n]`, and its probability `[n]`: what multiclass calibration is about.

    Args:
        labels: `[n, c]`, one 1 a row.
        predicted: `[n, c]` probabilities.
    """
    p, truth = np.asarray(predicted, dtype=np.float64), np.asarray(labels, dtype=np.float64)
    best = p.argmax(axis=1)
    rows = np.arange(len(p))
    return truth[rows, best], p[rows, best]
