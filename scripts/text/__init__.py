"""Reports: cleaning, the frozen language model, and the store of its vectors."""

from __future__ import annotations

from .cleaning import clean_text, report_sections, report_text, text_key
from .language_model import FrozenLanguageModel
from .packaged import PACKAGED, PackagedModel
from .store import TextStore

__all__ = [
    "clean_text",
    "report_sections",
    "report_text",
    "text_key",
    "FrozenLanguageModel",
    "TextStore",
    "PACKAGED",
    "PackagedModel",
]
