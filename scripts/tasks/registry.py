"""All tasks, by name."""

from __future__ import annotations

from collections.abc import Mapping

from .classification.task import CLASSIFICATION
from .detection.task import DETECTION
from .segmentation.task import SEGMENTATION
from .task import Task

TASKS: Mapping[str, Task] = {task.name: task for task in (CLASSIFICATION, SEGMENTATION, DETECTION)}
