"""What stands beside a task's weights: the settings that they were trained with, and a guard against using others."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import CxrError

logger = logging.getLogger(__name__)

# With others the numbers would be of other findings, without any error.
MUST_AGREE = ("names", "mode")
SHOULD_AGREE = ("encoder", "image_size")


def read_card(weights: str | Path) -> dict[str, Any]:
    """Settings in the `.json` beside a file of weights (`KeepBest` writes it); empty when there is none."""
    path = Path(weights).with_suffix(".json")
    if not path.is_file():
        return {}
    try:
        return dict(json.loads(path.read_text(encoding="utf-8"))["settings"])
    except (ValueError, KeyError, TypeError) as error:
        raise CxrError(f"{path} does not tell the settings of {Path(weights).name} ({error}); delete it.") from error


def trained_settings(weights: str | Path, settings: Mapping[str, Any]) -> dict[str, Any]:
    """`settings` as the card beside the weights corrects them: whether the encoder was frozen, its seed, its data; with
    `evaluated_fold` and `evaluated_data`, the run's own, where they are not those of the training.
    """
    card = read_card(weights)
    other = [key for key in ("fold", "data") if key in card and key in settings and settings[key] != card[key]]
    return {**settings, **card, **{f"evaluated_{key}": settings[key] for key in other}}


def trained_data(weights: str | Path | None) -> list[str]:
    """Public data sets that weights have seen, by their card: `data`, and of a task's `encoder_data`."""
    card = read_card(weights) if weights and Path(weights).is_file() else {}
    return list(dict.fromkeys([*card.get("data", ()), *card.get("encoder_data", ())]))


def overlap_note(trained: Mapping[str, Any]) -> str:
    """What a reader of an evaluation has to know where the weights may have seen its images, in another public data set
    that holds the same ones; "" where nothing speaks for it. Of one and the same set the splits keep patients apart.

    Args:
        trained: of `trained_settings`.
    """
    evaluated = list(trained.get("evaluated_data", trained.get("data", ())))
    notes = [
        _overlap(evaluated, list(trained.get(key, ())), who)
        for key, who in (("data", "These weights were"), ("encoder_data", "The encoder was"))
    ]
    return " ".join(note for note in notes if note)


def _overlap(evaluated: list[str], seen: list[str], who: str) -> str:
    shared = [name for name in evaluated if name in seen]
    if not shared or evaluated[0] == seen[0]:
        return ""
    return (
        f"{who} trained on {seen[0]}, and the images of {evaluated[0]} that are scored here are in part the same "
        f"({', '.join(shared)}): test images may be among those that it saw, and the scores too good."
    )


def fold_note(trained: Mapping[str, Any]) -> str:
    """What a reader of an evaluation on another fold than the training's has to know; "" when it is the same.

    Args:
        trained: of `trained_settings`.
    """
    if "evaluated_fold" not in trained:
        return ""
    was, now = ("no fold" if fold is None else f"fold {fold}" for fold in (trained["fold"], trained["evaluated_fold"]))
    return (
        f"The weights were trained with {was} and are evaluated with {now}: of the same data set, that scores images "
        "which they have learned from. Only for another data set is this right."
    )


def check_card(weights: str | Path, settings: Mapping[str, Any]) -> None:
    """Compares the settings of a run with those that its weights were trained with.

    Raises:
        CxrError: the findings, or how they exclude each other, are not the same.
    """
    card = read_card(weights)
    for key in (*MUST_AGREE, *SHOULD_AGREE):
        if key not in card or key not in settings or _plain(settings[key]) == _plain(card[key]):
            continue
        told = f"{weights} was trained with {key} {card[key]}, not {settings[key]}"
        if key in MUST_AGREE:
            raise CxrError(f'{told}. Say --{key} "{card[key]}".')
        logger.warning("%s: a result of other pixels than it knows.", told)
    if note := fold_note(trained_settings(weights, settings)):
        logger.warning("%s", note)


def _plain(value: Any) -> Any:
    return json.loads(json.dumps(value, default=str))
