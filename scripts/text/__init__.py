"""Reports: cleaning, the frozen language model, and the store of its vectors."""

from __future__ import annotations

from scripts.text.cleaning import clean_text
from scripts.text.key import text_key
from scripts.text.language_model import FrozenLanguageModel
from scripts.text.packaged import PACKAGED, PackagedModel
from scripts.text.report import Report, read_report, report_sections, report_text
from scripts.text.store import TextStore, language_model_identity

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
