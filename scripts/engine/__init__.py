"""Ignite handlers and batch preparation: how a run starts, saves, resumes, ends early and is tracked."""

from __future__ import annotations

from scripts.engine.autocast import AutocastInferer
from scripts.engine.batch import PrepareImage, PrepareImageReport
from scripts.engine.best import KeepBest
from scripts.engine.cache import CacheFeatures
from scripts.engine.check_features import CheckFeatures
from scripts.engine.clip import ClipGradients
from scripts.engine.collapse import WatchCollapse
from scripts.engine.cost import MeasureCost
from scripts.engine.distribute import distribute
from scripts.engine.embed import EmbedReports
from scripts.engine.history import History
from scripts.engine.leave_out import LeaveOut
from scripts.engine.progress import Progress
from scripts.engine.state import ResumeAndSave
from scripts.engine.track_evaluation import TrackEvaluation
from scripts.engine.tracking import Tracking
from scripts.engine.training_pictures import TrainingPictures
from scripts.engine.validation import CheckValidation
from scripts.engine.workflow import start_workflow

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
