"""The numbers of the packed run, as its own files tell them: nothing is computed or made up here."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scripts.errors import CxrError

from .kinds import Kind

# Charts; other pictures of an evaluation show radiographs, which are patients', and never leave with a pack.
CHARTS = ("roc", "pr", "roc_pr", "reliability", "froc", "dice_by_size", "probe", "retrieval", "spectrum")
CURVES = ("training", "geometry", "learning_curves")


@dataclass(frozen=True)
class Run:
    """What is known of the run.

    Attributes:
        settings: ids of the configs and their values (`model.json`).
        best: metric, value and epoch of the validation that chose the weights.
        table: the evaluation's table of scores in Markdown; "" = there was none.
        notes: what a reader of the table must know.
        details: thresholds, temperature and the like.
        charts: pictures that show no patient.
    """

    settings: dict[str, Any] = field(default_factory=dict)
    best: dict[str, Any] | None = None
    table: str = ""
    notes: list[str] = field(default_factory=list)
    details: dict[str, Any] = field(default_factory=dict)
    charts: list[Path] = field(default_factory=list)


def read_run(weights: Path, kind: Kind, evaluation: Path | None) -> Run:
    """What lies beside the weights, and the evaluation.

    Args:
        weights: file of weights; `model.json` beside it has the settings.
        kind: what is packed.
        evaluation: folder with `evaluation.json` and `.md`; None looks where a run leaves it, and takes none that is
            older than the weights, or of weights of other settings.

    Raises:
        CxrError: the given folder holds no evaluation, or one of other weights; or a file is damaged.
    """
    card = _read(weights.with_suffix(".json")) if weights.with_suffix(".json").is_file() else {}
    if evaluation is not None and not (evaluation / "evaluation.json").is_file():
        raise CxrError(f"No evaluation.json in {evaluation}: give the output_dir of an evaluation, or leave it out.")
    folder = evaluation or find_evaluation(weights, kind)
    if folder is None:
        return Run(card.get("settings", {}), card.get("best"))
    summary = _read(folder / "evaluation.json")
    if other := _differing(card.get("settings", {}), summary.get("settings", {})):
        if evaluation is not None:
            raise CxrError(f"The evaluation in {folder} is of other weights: they differ in {', '.join(other)}.")
        return Run(card.get("settings", {}), card.get("best"))
    table = folder / "evaluation.md"
    pictures = [folder / "pictures" / f"{name}.png" for name in CHARTS]
    pictures += [folder.parent / "pictures" / f"{name}.png" for name in CURVES]
    return Run(
        card.get("settings", {}),
        card.get("best"),
        table.read_text(encoding="utf-8") if table.is_file() else "",
        list(summary.get("notes", [])),
        dict(summary.get("details", {})),
        [path for path in pictures if path.is_file()],
    )


def find_evaluation(weights: Path, kind: Kind) -> Path | None:
    """Where a newer evaluation of this kind lies beside the weights, or below `runs/` of the same bundle root."""
    for up in list(weights.absolute().parents)[:4]:
        places = [up / "evaluation", *(root / kind.place / "evaluation" for root in (up, up / "runs"))]
        for place in places:
            file = place / "evaluation.json"
            if not file.is_file() or file.stat().st_mtime < weights.stat().st_mtime:
                continue
            if kind.trained(_read(file).get("settings", {})):
                return place
    return None


def _differing(trained: dict[str, Any], evaluated: dict[str, Any]) -> list[str]:
    """Settings that the card of the weights and their evaluation both tell, and not alike."""
    return [key for key in trained if key in evaluated and trained[key] != evaluated[key]]


def _read(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise CxrError(f"{path} is damaged ({error}).") from error
    return content
