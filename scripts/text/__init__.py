"""Reports: cleaning, the frozen language model, and the store of its vectors."""

from __future__ import annotations

from .cleaning import clean_text
from .key import text_key
from .language_model import FrozenLanguageModel
from .packaged import PACKAGED, PackagedModel
from .report import Report, read_report, report_sections, report_text
from .store import TextStore, language_model_identity

__all__ = [
    "FrozenLanguageModel",
    "PACKAGED",
    "PackagedModel",
    "Report",
    "TextStore",
    "clean_text",
    "language_model_identity",
    "read_report",
    "report_sections",
    "report_text",
    "text_key",
]
