"""Named scores as tables: on the console, as CSV, Markdown and HTML."""

from __future__ import annotations

from .csv_text import csv_text
from .page import Picture, Section, write_html
from .scores import (
    ScoreRow,
    print_scores,
    run_row,
    scores_frame,
    write_scores,
)

__all__ = [
    "Picture",
    "ScoreRow",
    "Section",
    "csv_text",
    "print_scores",
    "run_row",
    "scores_frame",
    "write_html",
    "write_scores",
]
