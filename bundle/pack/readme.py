"""docs/README.md of a pack, by the model zoo's template, with the run's own numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.tables.template import fill_template

from .kinds import Kind
from .numbers import Run

TEMPLATE = Path(__file__).with_suffix(".md.jinja")


@dataclass(frozen=True)
class Parts:
    """What of a pack is there.

    Attributes:
        stock: the network is MONAI's own class.
        module: the whole pre-trained module.
    """

    stock: bool
    module: bool


def readme(
    kind: Kind,
    metadata: Mapping[str, Any],
    run: Run,
    switches: Mapping[str, Any],
    charts: Sequence[str],
    there: Parts,
) -> str:
    """The page.

    Args:
        kind: what is packed.
        metadata: of the pack.
        run: what is known of it.
        switches: of the packed train.json: its plain top-level values.
        charts: files in docs/pictures.
        there: what of the pack is there.
    """
    formats = metadata["network_data_format"]
    pred = formats["outputs"]["pred"]
    names = ", ".join(pred.get("channel_def", {}).values())
    return fill_template(
        TEMPLATE,
        {"switch": _switch},
        kind=kind,
        metadata=metadata,
        run=run,
        switches=switches,
        charts=charts,
        there=there,
        size=formats["inputs"]["image"]["spatial_shape"][0],
        output=kind.output.format(names=names, channels=pred["num_channels"]),
        references=metadata.get("references", []),
    )


def _switch(value: Any) -> str:
    """Of a nested one (an encoder's configuration) the kind alone."""
    if isinstance(value, Mapping) and "model_type" in value:
        return f"transformers {value['model_type']}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
