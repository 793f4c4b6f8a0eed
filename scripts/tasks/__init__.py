"""Downstream tasks: their networks, losses, inferers and post-processing."""

from __future__ import annotations

from scripts.tasks.examples import Example
from scripts.tasks.headline import HEADLINES, headline, trivial_answer, unscored
from scripts.tasks.items import target_names, task_items
from scripts.tasks.prepare import parameter_groups, prepare_network
from scripts.tasks.probabilities import Probabilitiesd, probabilities
from scripts.tasks.protocol import by_protocol
from scripts.tasks.report import TaskReport, TaskScores, split_table

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
