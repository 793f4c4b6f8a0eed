"""Downstream tasks: each a folder and an object (`TASKS`), and what they have in common."""

from __future__ import annotations

from .examples import Example
from .prepare import parameter_groups, prepare_network
from .probabilities import Probabilitiesd, probabilities
from .protocol import by_protocol
from .registry import TASKS
from .report import TaskReport, TaskScores
from .scored_images import split_table
from .task import Task

__all__ = [
    "TASKS",
    "Example",
    "Probabilitiesd",
    "Task",
    "TaskReport",
    "TaskScores",
    "by_protocol",
    "parameter_groups",
    "prepare_network",
    "probabilities",
    "split_table",
]
