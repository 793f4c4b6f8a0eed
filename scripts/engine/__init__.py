"""Ignite handlers and batch preparation: how a run starts, saves, resumes, ends early and is tracked."""

from __future__ import annotations

from .autocast import AutocastInferer
from .batch import PrepareImage, PrepareImageReport
from .best import KeepBest
from .cache import CacheFeatures
from .check_features import CheckFeatures
from .clip import ClipGradients
from .collapse import WatchCollapse
from .cost import MeasureCost
from .distribute import distribute
from .embed import EmbedReports
from .history import History
from .leave_out import LeaveOut
from .progress import Progress
from .state import ResumeAndSave
from .track_evaluation import TrackEvaluation
from .tracking import Tracking
from .training_pictures import TrainingPictures
from .validation import CheckValidation
from .workflow import start_workflow

__all__ = [
    "AutocastInferer",
    "CacheFeatures",
    "CheckFeatures",
    "CheckValidation",
    "ClipGradients",
    "EmbedReports",
    "History",
    "KeepBest",
    "LeaveOut",
    "MeasureCost",
    "PrepareImage",
    "PrepareImageReport",
    "Progress",
    "ResumeAndSave",
    "TrackEvaluation",
    "Tracking",
    "TrainingPictures",
    "WatchCollapse",
    "distribute",
    "start_workflow",
]
