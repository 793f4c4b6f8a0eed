"""Pictures of scores beside their baselines: linear probe and retrieval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from ..figures.style import QUIET, add_axes, color, new_figure, save, styled
from ..statistics.estimate import Estimate
from ..tables.scores import score_text
from .linear_probe import ProbeResult

Results = Mapping[str, Mapping[str, Any]]
RETRIEVAL = ("r_at_1", "r_at_5", "r_at_10", "mrr", "finding_p_at_5", "finding_p_at_10")
IMAGES = ("p_at_1", "p_at_5", "p_at_10")
CHANCE: Any = (0, (2, 1))  # dashes


@styled
def plot_probe(
    results: Mapping[str, ProbeResult], path: str | Path, title: str = "Linear probe: AUROC with 95 % intervals"
) -> Path:
    """AUROC of each class and their macro average, one bar a method, drawn from chance (0.5).

    Args:
        results: by method, of the same classes.
        path: the picture.
        title: its title.
    """
    first = next(iter(results.values()))
    count = len(first.rows)
    figure = new_figure(1.4 + (count + 1) * (0.28 + 0.2 * len(results)), title)
    (axes,) = add_axes(figure)
    step = 1 / (len(results) + 1)
    seen = []
    for m, result in enumerate(results.values()):
        for i, row in enumerate([*result.rows, result.macro]):
            _probe_bar(axes, row.auroc, i + (m - (len(results) - 1) / 2) * step, step * 0.92, color(m))
            seen += [end for end in (row.auroc.value, row.auroc.lo, row.auroc.hi) if end is not None]
    axes.set_xlim(min([0.45, *(value - 0.02 for value in seen)]), max([0.7, *(value + 0.05 for value in seen)]))
    axes.axvline(0.5, color="black", linewidth=1)
    axes.axhline(count - 0.5, color=QUIET, linewidth=0.8)
    names = [f"{row.name}\n({row.positives} of {row.n})" for row in first.rows]
    axes.set_yticks(range(count + 1), [*names, f"macro average\n{first.macro.auroc.reason}".rstrip()])
    axes.set_ylim(count + 0.6, -0.6)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("area under the ROC curve (0.5 = chance); in brackets: positives of images tested")
    methods = [Patch(color=color(m), label=method) for m, method in enumerate(results)]
    axes.legend(handles=methods, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=min(3, len(results)))
    return save(figure, path)


@styled
def plot_retrieval(
    results: Results, path: str | Path, title: str = "Image–report retrieval with 95 % intervals"
) -> Path:
    """Recall, mean reciprocal rank and precision by finding in both directions, against the chance level of each.

    Args:
        results: `{method: retrieval(...)}` on the same pairs, with the scores by finding where there are labels.
        path: the picture.
        title: its title.
    """
    ways = {"image → report": "image_to_report", "report → image": "report_to_image"}
    parts = {label: {m: result[way] for m, result in results.items()} for label, way in ways.items()}
    return _plot_ranked(parts, RETRIEVAL, path, title)


@styled
def plot_image_retrieval(
    results: Results, path: str | Path, title: str = "Images with the same finding among the most similar ones"
) -> Path:
    """Precision of image → image retrieval by finding, against chance.

    Args:
        results: `{method: label_retrieval(...)}` of the same images.
        path: the picture.
        title: its title.
    """
    return _plot_ranked({"image → image, other patients": results}, IMAGES, path, title)


@styled
def plot_reason(reason: str, path: str | Path, title: str) -> Path:
    """In place of a picture that a method cannot have: why it cannot."""
    figure = new_figure(1.6, title)
    (axes,) = add_axes(figure)
    axes.set_axis_off()
    axes.text(0, 0.5, f"Not scored: {reason}.", va="center", fontsize=12, color=QUIET, wrap=True)
    return save(figure, path)


def _plot_ranked(panels: Mapping[str, Results], scores: Sequence[str], path: str | Path, title: str) -> Path:
    figure = new_figure(4.8, title)
    all_axes = add_axes(figure, 1, len(panels))
    for axes, (label, results) in zip(all_axes, panels.items(), strict=True):
        _ranked_panel(axes, results, scores)
        axes.set_title(label, loc="left")
    top = max(axes.get_ylim()[1] for axes in all_axes)
    for axes in all_axes:
        axes.set_ylim(0, top)
    names = list(next(iter(panels.values())))
    methods = [Patch(color=color(m), label=method) for m, method in enumerate(names)]
    chance = Line2D([], [], color="black", linestyle=CHANCE, label="chance")
    figure.legend(handles=[*methods, chance], loc="outside lower center", ncols=min(4, len(methods) + 1))
    return save(figure, path)


def _probe_bar(axes: Axes, found: Estimate, y: float, height: float, shade: str) -> None:
    beside: Any = {"textcoords": "offset points", "va": "center", "fontsize": 9}
    if found.value is None:
        axes.annotate(score_text(found), (0.5, y), xytext=(5, 0), color=shade, **beside)
        return
    axes.barh(y, found.value - 0.5, height, left=0.5, color=shade)
    if found.lo is not None and found.hi is not None:
        spread = [[found.value - found.lo], [found.hi - found.value]]
        axes.errorbar(found.value, y, xerr=spread, color="black", elinewidth=1.1, capsize=2)
    end = max(found.value if found.hi is None else found.hi, 0.5)
    axes.annotate(f"{found.value:.3f}".lstrip("0"), (end, y), xytext=(5, 0), **beside)


def _ranked_panel(axes: Axes, methods: Results, wanted: Sequence[str]) -> None:
    first = next(iter(methods.values()))
    scores = [name for name in wanted if name in first]
    place, step = np.arange(len(scores)), 1 / (len(methods) + 1)
    for m, result in enumerate(methods.values()):
        x = place + (m - (len(methods) - 1) / 2) * step
        value = np.array([100 * result[name].value for name in scores])
        axes.bar(x, value, step * 0.92, color=color(m))
        ends = [(result[name].lo, result[name].hi) for name in scores]
        lo, hi = 100 * np.array(ends, dtype=float).reshape(-1, 2).T  # None becomes NaN
        if not np.isnan(lo).all():
            axes.errorbar(x, value, yerr=[value - lo, hi - value], fmt="none", color="black", elinewidth=1.1, capsize=2)
    chance = [100 * first[name].trivial for name in scores]
    axes.hlines(chance, place - 0.46, place + 0.46, color="black", linestyle=CHANCE)
    axes.set_xticks(place, [_score_name(name) for name in scores])
    axes.set_ylabel("score (%)")
    axes.grid(axis="x", visible=False)


def _score_name(name: str) -> str:
    """`finding_p_at_5` as `P@5` over `finding`."""
    short = name.removeprefix("finding_").replace("_at_", "@").upper()
    return f"{short}\nfinding" if name.startswith("finding_") else short
