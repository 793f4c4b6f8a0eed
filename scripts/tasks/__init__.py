"""Downstream tasks: their networks, losses, inferers and post-processing."""

from __future__ import annotations

from .examples import Example
from .headline import HEADLINES, headline, trivial_answer, unscored
from .items import target_names, task_items
from .prepare import parameter_groups, prepare_network
from .probabilities import Probabilitiesd, probabilities
from .protocol import by_protocol
from .report import TaskReport, TaskScores, split_table

__all__ = [
    "Example",
    "HEADLINES",
    "Probabilitiesd",
    "TaskReport",
    "TaskScores",
    "by_protocol",
    "headline",
    "parameter_groups",
    "prepare_network",
    "probabilities",
    "split_table",
    "target_names",
    "task_items",
    "trivial_answer",
    "unscored",
]
