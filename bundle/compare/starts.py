"""What the tasks of a comparison start from: pre-trained encoders, seed by seed, and what they are measured against."""

from __future__ import annotations

import json
from collections.abc import Mapping

from ..jobs.record import Record
from ..sweep.plan import RANDOM, Init
from .plan import PRETRAINING, Comparison, Encoder, PretrainingCell

AS_IS = "as_is"


def starts(comparison: Comparison, given: Mapping[str, Mapping[str, object]] | None = None) -> list[Init]:
    """Initialisations of the tasks: `random-ENCODER`; `as_is-ENCODER`, the weights that pre-training started from,
    where there are any; and `METHOD-ENCODER`, compared with what it started from: its own gain, and not that of the
    weights that it was given.

    Args:
        comparison: whose pre-trainings have ended.
        given: the `settings` of the weights of each `METHOD-ENCODER` (`settings_of`).
    """
    inits = []
    as_is: dict[str, str] = {}  # weights by encoder
    for encoder in comparison.encoders:
        base = name_of(RANDOM, encoder)
        own = {"encoder": encoder.encoder}
        inits.append(Init(base, "", own, base, (encoder.name,)))
        method = next(method for method, other in comparison.pairs if other == encoder)
        if start := comparison.start_of(method, encoder):
            as_is[encoder.name] = start
            inits.append(Init(name_of(AS_IS, encoder), start, own, base, (encoder.name,)))
    for method, encoder in comparison.pairs:
        name = name_of(method, encoder)
        weights = comparison.out / PRETRAINING / method / encoder.name / "seed{seed}" / "models" / "model.pt"
        settings = dict((given or {}).get(name, {"encoder": encoder.encoder}))
        start = comparison.start_of(method, encoder)
        base = name_of(AS_IS if start and start == as_is.get(encoder.name) else RANDOM, encoder)
        inits.append(Init(name, str(weights), settings, base, (method, encoder.name)))
    return inits


def name_of(method: str, encoder: Encoder) -> str:
    """What the tables call it."""
    return f"{method}-{encoder.name}"


def settings_of(comparison: Comparison, ended: Mapping[PretrainingCell, Record]) -> dict[str, dict[str, object]]:
    """`encoder` and `encoder_options` by which a task builds the network of the weights, from the card beside them."""
    found: dict[str, dict[str, object]] = {}
    encoders = {encoder.name: encoder for encoder in comparison.encoders}
    for cell in comparison.cells():
        if cell in ended and ended[cell].status == "done":
            card = json.loads(cell.weights.with_suffix(".json").read_text(encoding="utf-8"))["settings"]
            kept = {key: card[key] for key in ("encoder", "encoder_options") if key in card}
            found[name_of(cell.method, encoders[cell.encoder])] = kept
    return found
