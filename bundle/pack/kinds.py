"""What can be packed: a pre-trained encoder, and the network of each task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.tasks.registry import TASKS
from scripts.tasks.task import Task

WEIGHTS = "$@bundle_root + '/models/model.pt'"


@dataclass(frozen=True)
class Kind:
    """What packs of one kind have in common.

    Attributes:
        name: as the verb takes it.
        pack: name of the pack.
        place: folder of its configs within `configs`, and of its runs within `runs`; "" = these themselves.
        names: whether its outputs have names, and its runs tell their task.
        module: whether the module that it was trained in is packed as well.
        start: ids of train.json that start it from the pack's weights.
        otherwise: another start of a training, for the page.
        tags, output, files: see `scripts.tasks.Task`; `output` has `{channels}` as well.
    """

    name: str
    pack: str
    place: str
    names: bool
    module: bool
    start: Mapping[str, Any]
    otherwise: str
    tags: str
    output: str
    files: str

    def configs(self, root: Path) -> Path:
        """Folder of its configs in a project."""
        return root / "configs" / self.place

    def trained(self, settings: Mapping[str, Any]) -> bool:
        """Whether a run of these settings is of this kind: that of a task tells it."""
        return settings.get("task", PRETRAINING.name) == self.name


PRETRAINING = Kind(
    name="pretraining",
    pack="cxr_report_pretraining",
    place="",
    names=False,
    module=True,
    start={"encoder_weights": WEIGHTS},
    otherwise="`--encoder_weights random` starts from random weights",
    tags="Pre-training, Embedding",
    output="`pred`: one embedding an image, float32, {channels} numbers.",
    files="`runs/inference/embeddings.parquet`: a row an image",
)


def kind_of(task: Task) -> Kind:
    """That of a task's network; the encoder is in its file."""
    return Kind(
        name=task.name,
        pack=f"cxr_{task.name}",
        place=task.name,
        names=True,
        module=False,
        start={"encoder_weights": None, "start_weights": WEIGHTS},
        otherwise="`--start_weights random --encoder_weights FILE` starts from an encoder alone (other `names`)",
        tags=task.tags,
        output=task.output,
        files=task.files,
    )


KINDS = {kind.name: kind for kind in (PRETRAINING, *map(kind_of, TASKS.values()))}
